import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { overallHealth } from "../../protocol/local-api/overall-health.ts";
import type { ServerStatus, StatusReport } from "../../protocol/local-api/status.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import { DaemonInMemory } from "../../test/local-api/daemon-in-memory.ts";
import { statusLines } from "./status-text.ts";

const hourMs = 3_600_000;
const zone = process.env["TZ"];
beforeAll(() => {
  process.env["TZ"] = "UTC";
});
afterAll(() => {
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
});

let daemon: DaemonInMemory;
beforeEach(() => {
  daemon = new DaemonInMemory();
});

function report(): StatusReport {
  const facts = daemon.status();
  return { api: 1, view: "full", ...facts, health: overallHealth(facts) };
}
const text = (): string =>
  statusLines(report(), daemon.nowMs)
    .map((line) => line.text)
    .join("\n");
const toneOf = (part: string): string | undefined =>
  statusLines(report(), daemon.nowMs).find((line) => line.text.includes(part))?.tone;

function ended(changes: Partial<SessionRecord>): SessionRecord {
  return {
    id: "1".repeat(16),
    policy: "etc",
    kind: "backup",
    cause: { kind: "schedule", text: "every day at 09:00" },
    attempt: 1,
    priority: 0,
    repository: "/mnt/disk/backup",
    state: "finished",
    queuedMs: daemon.nowMs - 3 * hourMs,
    startedMs: daemon.nowMs - 3 * hourMs,
    finishedMs: daemon.nowMs - 2 * hourMs,
    outcome: "success",
    exitCode: 0,
    issues: 0,
    scripts: [],
    ...changes,
  };
}

it("says in words that all is well, how old the backup is, what comes next and why", () => {
  daemon.addPolicy("etc", { lastGood: ended({}), lastEnded: ended({}) });
  expect(text()).toBe(
    [
      "host.example: everything is as it should be.",
      "",
      "etc (server)",
      "  last good backup    3 hours ago (2026-03-01 09:00:00); may be 26 hours old at most",
      "  next run            today at 13:00: every day at 13:00",
      "  goes to             /mnt/disk/backup",
      "",
      "Backstay 0.1.0 with its own policies, up for 24 hours",
    ].join("\n"),
  );
  expect(toneOf("last good")).toBe("good");
});

it("an old backup is bad news, with what failed since and what to do", () => {
  const failure = {
    code: "STORE_FULL",
    kind: "permanent",
    message: "The storage is full.",
    remedy: "Free space there.",
  } as const;
  daemon.addPolicy("etc", {
    lastGood: ended({ startedMs: daemon.nowMs - 50 * hourMs }),
    lastEnded: ended({ outcome: "failure", failure }),
    failuresSinceGood: 2,
    destination: { place: "/media/usb", route: "gateway", reachable: false },
  });
  expect(text()).toContain("host.example: something is wrong.");
  expect(text()).toContain("  error: The last good backup of policy etc is older than it may be.");
  expect(text()).toContain("    Free space there.");
  expect(text()).toMatch(/last good backup +2 days ago/);
  expect(text()).toMatch(/last session +failed 2 hours ago: The storage is full\./);
  expect(text()).toMatch(/failures since +2\n/);
  expect(text()).toMatch(/goes to +\/media\/usb, through the gateway, out of reach/);
  expect(toneOf("last good")).toBe("bad");
});

it("what runs shows progress and when it will be done, what waits shows for what", () => {
  daemon.addPolicy("etc");
  daemon.addPolicy("srv");
  const id = daemon.queue("etc", "asked for by root");
  daemon.start(id);
  expect(text()).toMatch(/runs now +begins\n/);
  const progress = { filesDone: 5, bytesDone: 512, currentFiles: [], issues: 1, elapsedMs: 1 };
  daemon.progress(id, progress);
  expect(text()).toMatch(/runs now +512 B {2}5 files {2}1 warning\n/);
  daemon.progress(id, { ...progress, filesTotal: 10, bytesTotal: 1024 }, 65_000);
  expect(text()).toMatch(/runs now +50\.00% {2}512 B of 1\.0 KiB {2}5\/10 files {2}ETA 1:05/);
  const hold = { code: "repository-busy", text: "another backup", untilMs: daemon.nowMs + hourMs };
  daemon.queue("srv", "a screen was locked", hold);
  expect(text()).toMatch(
    /waits for +another backup, until today at 13:00 \(a screen was locked, just now\)/,
  );
});

it("pauses, policies that are off, sessions of policies that are gone", () => {
  daemon.addPolicy("etc", { enabled: false, next: { reason: "the policy is switched off" } });
  daemon.addPolicy("srv");
  daemon.pause({ untilMs: daemon.nowMs + hourMs }, "root");
  daemon.pause({ policy: "srv" }, "root");
  daemon.start(daemon.queue("gone", "every day"));
  expect(text()).toContain("  paused until today at 13:00: asked for by root\n");
  expect(text()).toMatch(/paused +until `backstay resume`: asked for by root\n/);
  expect(text()).toMatch(/etc \(server, switched off\)\n/);
  expect(text()).toMatch(/next run +the policy is switched off\n/);
  expect(text()).toMatch(/gone \(removed\)\n {2}runs now/);
});

it("says so when there is no policy at all", () => {
  expect(text()).toContain("There is no policy yet, so nothing is backed up.");
});

it("text of the world can't move the cursor", () => {
  daemon.addPolicy("etc", { next: { reason: "\u001b[2Jx\r\n" } });
  expect(text()).not.toContain("\u001b");
  expect(text()).not.toContain("\r");
  expect(text()).toContain("\\x1b[2Jx");
});

it("tells of the server: how it is reached, what is in force, and what is wrong with it", () => {
  const { nowMs } = daemon;
  const stand = {
    state: "enrolled",
    tenant: "acme",
    urls: ["https://backup.example:8443"],
    lastContactMs: nowMs - 5 * 60_000,
    serial: 1_700_000_000,
    licence: "valid",
    clockOffsetMs: 0,
    reportsWaiting: 0,
  } as const;
  const said = (server: ServerStatus): string => {
    const before = report();
    const lines = statusLines({ ...before, agent: { ...before.agent, server } }, nowMs);
    return lines.map((line) => line.text).join("\n");
  };
  expect(said(stand)).toContain(
    "server https://backup.example:8443 (acme), heard 5 minutes ago, policies 1700000000\n",
  );
  const bad = { ...stand, reportsWaiting: 2, licence: "grace", clockOffsetMs: -600_000 } as const;
  expect(said({ ...bad, problem: "it does not answer" })).toContain(
    "policies 1700000000, 2 reports to send, licence: grace, clock 10 minutes ahead of it: it does not answer",
  );
  const none = { urls: [], clockOffsetMs: 0, reportsWaiting: 0 };
  expect(said({ state: "enrolling", ...none, problem: "ask Ann" })).toContain(
    "server: not admitted yet: ask Ann",
  );
  expect(said({ state: "refused", ...none })).toContain("does not admit this machine");
});
