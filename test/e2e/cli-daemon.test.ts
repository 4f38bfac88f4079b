import { type ChildProcess, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { BackupFigures } from "../../protocol/run-order.ts";
import { ServedDaemon } from "../local-api/served-daemon.ts";

let served: ServedDaemon;
beforeEach(() => {
  served = new ServedDaemon();
  served.daemon.nowMs = Date.now();
});
afterEach(async () => {
  await served.remove();
});

const figures: BackupFigures = {
  snapshotId: "0123456789abcdef".repeat(4),
  filesNew: 3,
  filesChanged: 2,
  filesUnmodified: 1,
  dirsNew: 1,
  dirsChanged: 0,
  dirsUnmodified: 0,
  dataBlobs: 5,
  treeBlobs: 1,
  totalFilesProcessed: 6,
  totalBytesProcessed: 4096,
  bytesRead: 4096,
  bytesStored: 2048,
  dataAdded: 4096,
  dataAddedPacked: 2048,
  packsRecovered: 0,
  startMs: 1000,
  endMs: 6000,
  issues: 1,
};

/** Resolves with the session once `run` has asked for it. */
async function requested(policy: string): Promise<string> {
  return await vi.waitFor(
    () => {
      const [session] = served.daemon.sessions({ policy });
      expect(session).toBeDefined();
      return session.id;
    },
    { timeout: 10_000 },
  );
}

async function followed(): Promise<void> {
  await vi.waitFor(() => expect(served.daemon.subscriptions).toBe(1), { timeout: 10_000 });
}

it("without a daemon every command says so, and what to do", async () => {
  const commands = [["status"], ["run", "etc"], ["sessions"], ["log"], ["pause"], ["policies"]];
  for (const command of commands) {
    const { exitCode, stdout, stderr } = await served.run(command);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toMatch(/^error: No daemon of Backstay answers on this machine\./);
    expect(stderr).toMatch(/\n {2}Start it/);
  }
  const { stderr } = await served.run(["status", "--json"]);
  expect(JSON.parse(stderr)).toMatchObject({ error_code: "DAEMON_UNREACHABLE", code: 1 });
});

it("the exit code of status is the health", async () => {
  await served.start();
  const status = async (): Promise<number | null> => (await served.run(["status"])).exitCode;
  served.daemon.addPolicy("etc");
  expect(await status()).toBe(0);
  served.daemon.addPolicy("etc", { failuresSinceGood: 1 });
  expect(await status()).toBe(3);
  served.daemon.addPolicy("etc", { appliedMs: 0 });
  expect(await status()).toBe(1);
});

it("status is text without colours in a pipe, and JSON if asked for", async () => {
  await served.start();
  served.daemon.addPolicy("etc");
  const { stdout } = await served.run(["status"]);
  expect(stdout).toMatch(/^host\.example: everything is as it should be\.\n\netc \(server\)\n/);
  expect(stdout).not.toContain("\u001b");
  const json = await served.run(["status", "--json"]);
  expect(JSON.parse(json.stdout)).toMatchObject({ health: { level: "ok" } });
});

it("status --watch shows each change until Ctrl-C", async () => {
  await served.start();
  let child: ChildProcess | undefined;
  const run = served.run(["status", "--watch", "--json"], (started) => (child = started));
  let seen = "";
  child?.stdout?.on("data", (piece: Buffer) => (seen += piece.toString()));
  await vi.waitFor(() => expect(seen).toContain('"policies":[]'), { timeout: 10_000 });
  served.daemon.addPolicy("etc");
  await vi.waitFor(() => expect(seen).toContain('"name":"etc"'), { timeout: 10_000 });
  child?.kill("SIGINT");
  expect(await run).toMatchObject({ exitCode: 130, stderr: "" });
});

it("run only asks, and says which session it is", async () => {
  await served.start();
  served.daemon.addPolicy("etc");
  const first = await served.run(["run", "etc"]);
  expect(first).toMatchObject({ exitCode: 0, stderr: "session 0000000000000001 of etc\n" });
  const second = await served.run(["run", "etc", "--json"]);
  expect(JSON.parse(second.stdout)).toMatchObject({ joined: true });
  expect((await served.run(["run", "srv"])).stderr).toMatch(/no policy of this name.*srv/);
});

it("run --wait shows the run and ends as it did", async () => {
  await served.start();
  const { daemon } = served;
  daemon.addPolicy("etc");
  const run = served.run(["run", "etc", "--wait"]);
  const id = await requested("etc");
  await followed();
  daemon.start(id);
  daemon.issue(id, { path: "/etc/shadow", code: "EACCES", message: "permission denied" });
  daemon.finish(id, { outcome: "warning", exitCode: 3, figures });
  const { exitCode, stdout, stderr } = await run;
  expect(exitCode).toBe(3);
  expect(stderr).toContain("error: /etc/shadow: permission denied\n");
  expect(stdout).toMatch(/Files: +3 new, +2 changed, +1 unmodified/);
  expect(stdout).toContain("snapshot 01234567 saved");
});

it("run --wait --json has the messages of backup", async () => {
  await served.start();
  const { daemon } = served;
  daemon.addPolicy("etc");
  let child: ChildProcess | undefined;
  const run = served.run(["run", "etc", "--wait", "--json"], (started) => (child = started));
  let seen = "";
  child?.stdout?.on("data", (piece: Buffer) => (seen += piece.toString()));
  const id = await requested("etc");
  await followed();
  daemon.start(id);
  daemon.progress(id, {
    filesDone: 3,
    bytesDone: 2048,
    filesTotal: 6,
    bytesTotal: 4096,
    currentFiles: ["/etc/passwd"],
    issues: 0,
    elapsedMs: 3000,
  });
  await vi.waitFor(() => expect(seen).toContain('"status"'), { timeout: 10_000 });
  daemon.finish(id, { figures });
  const { exitCode, stdout } = await run;
  const messages = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(exitCode).toBe(0);
  expect(messages[0]).toMatchObject({ message_type: "session", session_id: id });
  expect(messages[1]).toMatchObject({ message_type: "status", percent_done: 0.5, files_done: 3 });
  expect(messages.at(-1)).toMatchObject({ message_type: "summary", data_added: 4096 });
});

it("run --wait reports what made a run fail, with scripts and who ended it", async () => {
  await served.start();
  const { daemon } = served;
  daemon.addPolicy("etc");
  const failing = served.run(["run", "etc", "--wait"]);
  const id = await requested("etc");
  await followed();
  daemon.finish(id, {
    outcome: "failure",
    exitCode: 11,
    failure: {
      code: "REPOSITORY_LOCKED",
      kind: "temporary",
      message: "The repository is locked.",
      remedy: "Wait.",
      lastWords: "last words",
    },
    scripts: [{ name: "preJob", outcome: "failed", exitCode: 7, durationMs: 1, output: "" }],
  });
  const { exitCode, stderr } = await failing;
  expect(exitCode).toBe(11);
  expect(stderr).toContain("preJob script failed (exit code 7)");
  expect(stderr).toContain("error: The repository is locked.\n  Wait.\n  last words\n");

  daemon.addPolicy("srv");
  const stopped = served.run(["run", "srv", "--wait"]);
  await requested("srv");
  await followed();
  expect((await served.run(["stop", "srv"])).stdout).toMatch(/is being ended/);
  expect(await stopped).toMatchObject({
    exitCode: 130,
    stderr: expect.stringMatching(/session was canceled \(stopped by/),
  });
  expect((await served.run(["stop", "srv"])).stdout).toBe("srv neither runs nor waits\n");
});

it("Ctrl-C leaves a run that is waited for, and it goes on", async () => {
  await served.start();
  const { daemon } = served;
  daemon.addPolicy("etc");
  let child: ChildProcess | undefined;
  const run = served.run(["run", "etc", "--wait"], (started) => (child = started));
  const id = await requested("etc");
  daemon.start(id);
  await followed();
  child?.kill("SIGINT");
  const { exitCode, stderr } = await run;
  expect(exitCode).toBe(130);
  expect(stderr).toContain("the run goes on: see `backstay status`; `backstay stop etc` ends it");
  expect(daemon.session(id)?.session.state).toBe("running");
  await vi.waitFor(() => expect(daemon.subscriptions).toBe(0));
});

it("run --wait tells a daemon that goes away from a run that failed", async () => {
  await served.start();
  served.daemon.addPolicy("etc");
  const run = served.run(["run", "etc", "--wait"]);
  await requested("etc");
  await followed();
  await served.stop();
  const { exitCode, stderr } = await run;
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/connection to the daemon broke off/);
});

it("sessions are listed, and one is shown with each warning and script", async () => {
  await served.start();
  const { daemon } = served;
  expect((await served.run(["sessions"])).stdout).toBe("no session yet\n");
  for (const policy of ["etc", "srv"])
    daemon.finish(daemon.queue(policy, "every day"), { figures });
  const [{ id }] = daemon.sessions({ policy: "etc" });
  for (let number = 0; number < 30; number += 1)
    daemon.issue(id, { path: `/etc/${number}`, code: "EIO", message: "input/output error" });
  daemon.change(id, {
    outcome: "warning",
    scripts: [{ name: "postJob", outcome: "timed-out", durationMs: 60_000, output: "a\nb\u001b" }],
  });
  const list = await served.run(["sessions", "--policy", "etc", "--limit", "5"]);
  expect(list.stdout).toContain(id);
  expect(list.stdout).not.toContain("srv");
  const { stdout } = await served.run(["session", id]);
  expect((await served.run(["sessions", id])).stdout).toBe(stdout);
  expect(stdout).toContain("30 warnings:\n  /etc/0: input/output error [EIO]\n");
  expect(stdout).toContain("  /etc/29: input/output error [EIO]\n");
  expect(stdout).toMatch(/script +postJob: timed-out, after 1:00\n +a\n +b\\x1b\n/);
  expect((await served.run(["session", "none"])).stderr).toMatch(/no such session/);
  const json = await served.run(["sessions", "--json", "-n", "1"]);
  expect(JSON.parse(json.stdout)).toMatchObject([{ policy: "srv" }]);
});

it("the log is shown, and followed until Ctrl-C", async () => {
  await served.start();
  const { daemon } = served;
  for (let number = 0; number < 5; number += 1) daemon.write(`line ${number}`);
  const { stdout } = await served.run(["log", "--lines", "2"]);
  expect(stdout).toMatch(/^\d{4}-.* info {4}line 3\n.* info {4}line 4\n$/);
  let child: ChildProcess | undefined;
  const run = served.run(["log", "-f", "-n", "1", "--json"], (started) => (child = started));
  await followed();
  daemon.write("after", "error");
  let seen = "";
  child?.stdout?.on("data", (piece: Buffer) => (seen += piece.toString()));
  await vi.waitFor(() => expect(seen).toContain("after"), { timeout: 10_000 });
  child?.kill("SIGTERM");
  const ended = await run;
  expect(ended).toMatchObject({ exitCode: 130, stderr: "" });
  expect(
    ended.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object),
  ).toMatchObject([
    { text: "line 4", level: "info" },
    { text: "after", level: "error" },
  ]);
});

it("pauses and resumes", async () => {
  await served.start();
  const { daemon } = served;
  daemon.addPolicy("etc");
  expect((await served.run(["pause", "2h"])).stdout).toMatch(/^paused all policies until/);
  expect((await served.run(["pause", "--policy", "etc"])).stdout).toBe(
    "paused etc until `backstay resume`\n",
  );
  const pauses = daemon.status().pauses;
  expect(pauses.map(({ policy }) => policy)).toEqual([undefined, "etc"]);
  const untilMs = pauses[0].untilMs ?? 0;
  expect(Math.abs(untilMs - Date.now() - 7_200_000)).toBeLessThan(60_000);
  expect((await served.run(["resume", "--policy", "etc"])).stdout).toBe("1 pause ended\n");
  expect((await served.run(["resume"])).stdout).toBe("1 pause ended\n");
  expect((await served.run(["resume"])).stdout).toBe("nothing was paused\n");
  expect((await served.run(["pause", "until", "yesterday"])).stderr).toMatch(/no time to come/);
});

it("doctor asks the daemon, and looks for itself where there is none", async () => {
  const alone = await served.run(["doctor", "--json"]);
  expect(alone.exitCode).toBe(1);
  const { checks } = JSON.parse(alone.stdout) as { checks: { code: string; verdict: string }[] };
  expect(checks[0]).toMatchObject({ code: "daemon", verdict: "bad" });
  expect(checks.map(({ code }) => code)).toContain("state-free-space");
  expect(checks.find(({ code }) => code === "clock")?.verdict).toBe("good");

  await served.start();
  served.daemon.checks.push({
    code: "target",
    title: "target of policy etc",
    verdict: "warning",
    text: "Slow.",
    remedy: "Wait.",
  });
  const { exitCode, stdout } = await served.run(["doctor"]);
  expect(exitCode).toBe(3);
  expect(stdout).toMatch(/^good {4}daemon.*\nwarning target of policy etc: Slow\.\n {8}Wait\.\n$/);
});

it("a support bundle is listed first, written if confirmed, and holds no secret and no file name", async () => {
  await served.start();
  const { daemon } = served;
  daemon.addPolicy("etc", {
    destination: { place: "rest:https://ann:s3cr3t@example.org/r", route: "direct" },
  });
  const id = daemon.queue("etc", "every day");
  daemon.issue(id, { path: "/etc/private-name", code: "EACCES", message: "private-name" });
  daemon.finish(id, { outcome: "warning", exitCode: 3 });
  daemon.write("connecting with password=s3cr3t");
  const logs = path.join(served.home, "state", "log");
  mkdirSync(logs, { recursive: true });
  writeFileSync(path.join(logs, "backstayd.log"), "token: s3cr3t\nfine\n");
  writeFileSync(path.join(logs, "other.txt"), "not on the list");

  const file = path.join(served.home, "bundle.tar.gz");
  const listed = await served.run(["support-bundle", file]);
  expect(listed.exitCode).toBe(0);
  expect(listed.stdout).toContain("nothing is written yet");
  expect(existsSync(file)).toBe(false);

  expect((await served.run(["support-bundle", file, "--yes"])).stdout).toContain("written to");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const names = spawnSync("tar", ["-tzf", file], { encoding: "utf8" }).stdout.trim().split("\n");
  expect(names.map((name) => name.replace(/^backstay-support-[\d-]+\//, ""))).toEqual([
    "about.json",
    "doctor.json",
    "status.json",
    "policies.json",
    "sessions.json",
    "failed-sessions.json",
    "metrics.txt",
    "log.ndjson",
    "log/backstayd.log",
  ]);
  const all = spawnSync("tar", ["-xzOf", file], { encoding: "utf8" }).stdout;
  expect(all).not.toMatch(/s3cr3t|private-name/);
  expect(all).toContain('"EACCES": 1');
  expect(all).toContain("fine");

  const before = readFileSync(file);
  const again = await served.run(["support-bundle", file, "--yes"]);
  expect(again.exitCode).toBe(1);
  expect(again.stderr).toMatch(/could not be made.*EEXIST/);
  expect(readFileSync(file).equals(before)).toBe(true);
});

it("a support bundle is made without a daemon too, and says what is missing", async () => {
  const { exitCode, stdout } = await served.run(["support-bundle"]);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/status\.json +what `backstay status` shows \(not available\)/);
});

it("policies are listed; one that can't be used makes the command fail", async () => {
  await served.start();
  served.daemon.addPolicy("etc");
  const { exitCode, stdout } = await served.run(["policies"]);
  expect(exitCode).toBe(0);
  expect(stdout).toContain("/etc/backstay/policies/etc.yaml");
  const list = served.daemon.policies();
  const problems = [{ origin: "/etc/backstay/policies/bad.yaml", text: "line 3: no such field" }];
  served.daemon.policies = () => ({ ...list, problems });
  const failed = await served.run(["policies"]);
  expect(failed.exitCode).toBe(1);
  expect(failed.stderr).toContain("bad.yaml: line 3: no such field");
});

it("another user is told what it may do", async () => {
  const peers = {
    tellsUsers: true,
    peerOf: () => ({ kind: "user", uid: 12_345, processId: 1 }) as const,
  };
  await served.start({ peers });
  served.daemon.addPolicy("etc");
  const status = await served.run(["status"]);
  expect(status.exitCode).toBe(0);
  expect(status.stdout).toContain("places are shown to administrators only");
  expect(status.stdout).not.toContain("/mnt");
  const run = await served.run(["run", "etc"]);
  expect(run.exitCode).toBe(1);
  expect(run.stderr).toMatch(/may see the status.*\n {2}Run the command as root/);
});
