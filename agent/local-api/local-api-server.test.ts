import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { openPeerIdentity } from "../../platform/open-peer-identity.ts";
import type { Peer } from "../../platform/ports/peer-identity.ts";
import { type BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { Problem } from "../../protocol/local-api/problem.ts";
import type { SessionMessage } from "../../protocol/local-api/session-stream.ts";
import type { StatusReport } from "../../protocol/local-api/status.ts";
import { DaemonInMemory } from "../../test/local-api/daemon-in-memory.ts";
import { claimDaemonPlace, type DaemonPlace } from "./daemon-place.ts";
import { type LocalApiOptions, LocalApiServer } from "./local-api-server.ts";

const ownUid = process.getuid?.() ?? 0;
const another: Peer = { kind: "user", uid: 12_345, processId: 1 };
const failures: string[] = [];
let folder = "";
let socketPath = "";
let daemon: DaemonInMemory;
let place: DaemonPlace | undefined;
let server: LocalApiServer | undefined;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-api-"));
  socketPath = path.join(folder, "run", "agent.sock");
  daemon = new DaemonInMemory();
  failures.length = 0;
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  place?.release();
  place = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const claim = (): Promise<DaemonPlace> =>
  claimDaemonPlace(
    { path: socketPath, isPipe: false, lockFile: path.join(path.dirname(socketPath), "lock") },
    ownUid,
  );

async function start(options: Partial<LocalApiOptions> = {}): Promise<void> {
  place = await claim();
  server = await LocalApiServer.start({
    place,
    view: daemon,
    peers: openPeerIdentity(),
    ownUid,
    onFailure: (error, name) => failures.push(`${name}: ${String(error)}`),
    ...options,
  });
}

const seenAs = (peer: Peer): Partial<LocalApiOptions> => ({
  peers: { tellsUsers: true, peerOf: () => peer },
});

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type: string | undefined;
}

function ask(
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = { "Content-Type": "application/json" },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(
      { socketPath, method, path: url, headers: body === undefined ? {} : headers, agent: false },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (piece: string) => (text += piece));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            body: text,
            type: response.headers["content-type"],
          }),
        );
        response.on("error", reject);
      },
    );
    call.on("error", reject);
    call.end(typeof body === "string" ? body : JSON.stringify(body));
  });
}

async function askJson<T>(url: string): Promise<T> {
  const { status, body } = await ask("GET", url);
  expect(status, body).toBe(200);
  return JSON.parse(body) as T;
}

async function problemOf(answer: Promise<Answer>): Promise<Problem> {
  const { status, body, type } = await answer;
  expect(type).toBe("application/problem+json");
  const problem = JSON.parse(body) as Problem;
  expect(problem.status).toBe(status);
  return problem;
}

/** Opens a stream and gathers its lines. */
function openStream(url: string): Promise<{
  lines: Record<string, unknown>[];
  response: IncomingMessage;
  ended: Promise<void>;
}> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path: url, agent: false }, (response) => {
      const lines: Record<string, unknown>[] = [];
      let rest = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        const parts = (rest + piece).split("\n");
        rest = parts.pop() ?? "";
        lines.push(...parts.map((part) => JSON.parse(part) as Record<string, unknown>));
      });
      const ended = new Promise<void>((done) => response.on("close", () => done()));
      response.on("error", () => undefined);
      resolve({ lines, response, ended });
    });
    call.on("error", reject);
    call.end();
  });
}

it("answers the status with health, fully for whom the daemon belongs to", async () => {
  daemon.addPolicy("etc");
  await start();
  const report = await askJson<StatusReport>("/v1/status");
  expect(report).toMatchObject({ api: 1, view: "full", health: { level: "ok", reasons: [] } });
  expect(report.policies[0].destination.place).toBe("/mnt/disk/backup");
  expect("conditions" in report).toBe(false);
});

it("the socket is open to all where users are told apart, its folder to none but its owner", async () => {
  await start();
  expect(statSync(socketPath).mode & 0o666).toBe(0o666);
  expect(statSync(path.dirname(socketPath)).mode & 0o022).toBe(0);
});

it("others may look at the status and see no places, and nothing else", async () => {
  daemon.addPolicy("etc", {
    next: { reason: "when /mnt/disk is connected" },
    lastEnded: {
      ...daemon.sessions({})[0],
      ...endedSession("etc"),
      failure: {
        code: "STORE_DENIED",
        kind: "permanent",
        message: "The storage refused access. (path: /mnt/disk/backup)",
        remedy: "Check it.",
        lastWords: "secret.txt",
      },
    },
  });
  const id = daemon.queue("etc", "asked for by root");
  daemon.start(id);
  daemon.progress(id, { ...noProgress, currentFiles: ["/srv/secret.txt"] });
  await start(seenAs(another));
  const { status, body } = await ask("GET", "/v1/status");
  expect(status).toBe(200);
  expect(JSON.parse(body)).toMatchObject({
    view: "limited",
    policies: [{ name: "etc", next: { reason: "(only an administrator sees this)" } }],
    running: [{ progress: { currentFiles: [] } }],
  });
  expect(body).not.toMatch(/\/mnt|\/srv|secret/);

  const control: [string, string, unknown][] = [
    ["GET", "/v1/sessions", undefined],
    ["GET", `/v1/sessions/${id}`, undefined],
    ["GET", `/v1/sessions/${id}/follow`, undefined],
    ["GET", "/v1/policies", undefined],
    ["GET", "/v1/policies/etc", undefined],
    ["GET", "/v1/log", undefined],
    ["GET", "/v1/doctor", undefined],
    ["GET", "/v1/metrics", undefined],
    ["POST", "/v1/run", { policy: "etc" }],
    ["POST", "/v1/stop", { policy: "etc" }],
    ["POST", "/v1/pause", {}],
    ["POST", "/v1/resume", {}],
    ["POST", "/v1/reload", {}],
  ];
  for (const [method, url, given] of control) {
    const problem = await problemOf(ask(method, url, given));
    expect(problem, url).toMatchObject({ status: 403, code: "DAEMON_DENIED" });
    expect(problem.remedy).toMatch(/root/);
  }
  expect(daemon.requests).toEqual([]);
});

it.runIf(ownUid === 0)(
  "a program of another user sees the status and controls nothing",
  async () => {
    daemon.addPolicy("etc");
    await start();
    chmodSync(folder, 0o711);
    const script = `process.setgid(12345); process.setuid(12345); const http = require("node:http");
    const ask = (method, path) => new Promise((resolve) => http.request({ socketPath: ${JSON.stringify(socketPath)}, method, path,
      headers: { "Content-Type": "application/json" } }, (answer) => { answer.resume(); resolve(answer.statusCode); }).end(method === "POST" ? '{"policy":"etc"}' : ""));
    ask("GET", "/v1/status").then(async (first) => console.log(first, await ask("POST", "/v1/run"), await ask("GET", "/v1/log")));`;
    const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    let printed = "";
    child.stdout.on("data", (piece: Buffer) => (printed += piece.toString()));
    await new Promise((resolve) => child.on("close", resolve));
    expect(printed).toBe("200 403 403\n");
    expect(daemon.requests).toEqual([]);
  },
);

it("who is not known may only look", async () => {
  await start(seenAs({ kind: "unknown" }));
  expect((await ask("GET", "/v1/status")).status).toBe(200);
  expect((await ask("POST", "/v1/run", { policy: "etc" })).status).toBe(403);
});

it("runs, stops, pauses and resumes, and says who asked", async () => {
  daemon.addPolicy("etc");
  await start(seenAs({ kind: "user", uid: 0, processId: 1 }));
  const { body } = await ask("POST", "/v1/run", { policy: "etc" });
  const { sessionId } = JSON.parse(body) as { sessionId: string };
  expect(JSON.parse((await ask("POST", "/v1/run", { policy: "etc" })).body)).toEqual({
    sessionId,
    joined: true,
  });
  expect(JSON.parse((await ask("POST", "/v1/stop", { policy: "etc" })).body)).toEqual({
    sessionIds: [sessionId],
  });
  await ask("POST", "/v1/pause", { policy: "etc", untilMs: 5 });
  await ask("POST", "/v1/pause", {});
  expect(JSON.parse((await ask("POST", "/v1/resume", {})).body)).toEqual({ ended: 2 });
  expect(daemon.requests).toEqual([
    "run etc by root",
    "run etc by root",
    "stop etc by root",
    "pause etc by root",
    "pause all by root",
    "resume all by root",
  ]);
});

it("says what is wrong with a request, and goes on", async () => {
  daemon.addPolicy("etc");
  await start();
  const wrong: [string, string, unknown, number, RegExp][] = [
    ["GET", "/v1/nothing", undefined, 400, /no GET \/v1\/nothing/],
    ["GET", "/status", undefined, 400, /no GET/],
    ["GET", "/v2/status", undefined, 400, /no GET/],
    ["DELETE", "/v1/status", undefined, 400, /no DELETE/],
    ["POST", "/v1/run", "{", 400, /no JSON/],
    ["POST", "/v1/run", [], 400, /body/],
    ["POST", "/v1/run", { policy: 5 }, 400, /policy/],
    ["POST", "/v1/run", { policy: "etc", more: 1 }, 400, /more/],
    ["POST", "/v1/run", { policy: "other" }, 404, /other/],
    ["POST", "/v1/pause", { untilMs: "later" }, 400, /untilMs/],
    ["GET", "/v1/sessions?limit=0", undefined, 400, /limit/],
    ["GET", "/v1/sessions?limit=1001", undefined, 400, /limit/],
    ["GET", "/v1/log?lines=1e9", undefined, 400, /lines/],
    ["GET", "/v1/sessions/none", undefined, 404, /none/],
    ["GET", "/v1/sessions/none/follow", undefined, 404, /none/],
    ["GET", "/v1/sessions/%zz", undefined, 400, /well formed/],
    ["GET", "/v1/policies/other", undefined, 404, /other/],
  ];
  for (const [method, url, body, status, text] of wrong) {
    const problem = await problemOf(ask(method, url, body));
    expect(problem.status, url).toBe(status);
    expect(JSON.stringify(problem.context), url).toMatch(text);
  }
  const plain = { "Content-Type": "text/plain" };
  expect((await problemOf(ask("POST", "/v1/run", "{}", plain))).context["problem"]).toMatch(/json/);
  expect(failures).toEqual([]);
});

it("a web page's request is refused, whoever's browser it comes from", async () => {
  daemon.addPolicy("etc");
  await start();
  for (const name of ["Origin", "Referer"]) {
    const headers = { "Content-Type": "application/json", [name]: "http://example.org" };
    expect((await ask("POST", "/v1/run", { policy: "etc" }, headers)).status).toBe(403);
  }
  expect(daemon.requests).toEqual([]);
});

it("a body or a head that is too long ends its own connection only", async () => {
  await start();
  expect((await ask("POST", "/v1/run", `"${"x".repeat(70_000)}"`)).status).toBe(400);
  const long = ask("GET", `/v1/status?${"x".repeat(20_000)}`);
  await expect(long).resolves.toMatchObject({ status: 400 });
  expect(await talk("this is no HTTP\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
  expect((await ask("GET", "/v1/status")).status).toBe(200);
});

/** Sends raw bytes and gathers what comes until the other side ends. */
function talk(text: string): Promise<string> {
  return new Promise((resolve) => {
    let received = "";
    const socket = connect(socketPath, () => socket.write(text));
    socket.on("data", (piece) => (received += piece.toString()));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(received));
  });
}

it("a failure inside is told to the daemon and hidden from the caller, and others are served", async () => {
  daemon.policies = () => {
    throw new Error("the password is 1234");
  };
  daemon.reload = () => Promise.reject(new TypeError("x"));
  await start();
  const answer = await ask("GET", "/v1/policies");
  expect(answer.status).toBe(500);
  expect(answer.body).not.toContain("1234");
  expect((await problemOf(ask("POST", "/v1/reload", {}))).code).toBe("INTERNAL");
  expect(failures).toEqual([
    "GET /v1/policies: Error: the password is 1234",
    "POST /v1/reload: TypeError: x",
  ]);
  expect((await ask("GET", "/v1/status")).status).toBe(200);
});

it("an answer that takes too long is given up, and the work is told", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const given: AbortSignal[] = [];
    daemon.doctor = (signal) => {
      if (signal !== undefined) given.push(signal);
      return new Promise(() => undefined);
    };
    await start();
    const answer = problemOf(ask("GET", "/v1/doctor"));
    await vi.waitFor(() => expect(given).toHaveLength(1));
    vi.advanceTimersByTime(90_000);
    expect(await answer).toMatchObject({ status: 503, code: "DAEMON_BUSY" });
    expect(given[0].aborted).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});

it("a session is followed from what was to its end", async () => {
  daemon.addPolicy("etc");
  const id = daemon.queue("etc", "asked for by root");
  daemon.issue(id, issueOf(0));
  await start();
  const { lines, ended } = await openStream(`/v1/sessions/${id}/follow`);
  await vi.waitFor(() => expect(lines).toHaveLength(2));
  daemon.start(id);
  daemon.progress(id, { ...noProgress, filesDone: 7 });
  daemon.issue(id, issueOf(1));
  daemon.finish(id);
  await ended;
  expect(lines.map(({ type }) => type)).toEqual([
    "session",
    "issue",
    "session",
    "progress",
    "issue",
    "end",
  ]);
  expect(lines.at(-1)).toMatchObject({ session: { id, state: "finished", exitCode: 0 } });
  expect(daemon.subscriptions).toBe(0);

  const again = await openStream(`/v1/sessions/${id}/follow`);
  await again.ended;
  expect(again.lines.map(({ type }) => type)).toEqual(["session", "issue", "issue", "end"]);
});

it("what happens while a stream is being opened is not lost", async () => {
  const id = daemon.queue("etc", "x");
  const follow = daemon.followSession.bind(daemon);
  daemon.followSession = ((name: string, events) => {
    const followed = follow(name, events);
    daemon.issue(id, issueOf(5));
    daemon.finish(id);
    return followed;
  }) as DaemonInMemory["followSession"];
  await start();
  const { lines, ended } = await openStream(`/v1/sessions/${id}/follow`);
  await ended;
  expect(lines.map(({ type }) => type)).toEqual(["session", "issue", "end"]);
});

it("a reader that is slow gets the newest progress, a count of what it missed, and the end", async () => {
  const id = daemon.queue("etc", "x");
  daemon.start(id);
  await start();
  const { lines, response, ended } = await openStream(`/v1/sessions/${id}/follow`);
  await vi.waitFor(() => expect(lines).toHaveLength(1));
  response.pause();
  const many = 20_000;
  for (let number = 1; number <= many; number += 1) {
    daemon.issue(id, issueOf(number));
    daemon.progress(id, { ...noProgress, filesDone: number });
    if (number % 1000 === 0) await sleep(1);
  }
  response.resume();
  await vi.waitFor(() => expect(lines.at(-1)).toMatchObject({ type: "progress" }), 5000);
  daemon.finish(id);
  await ended;
  const messages = lines as unknown as SessionMessage[];
  const seen = messages.filter(({ type }) => type === "issue").length;
  const lost = messages
    .filter((message) => message.type === "lost")
    .reduce((sum, { count }) => sum + count, 0);
  expect(lost).toBeGreaterThan(0);
  expect(seen + lost).toBe(many);
  const progress = messages.filter((message) => message.type === "progress");
  expect(progress.at(-1)?.progress.filesDone).toBe(many);
  expect(messages.at(-1)?.type).toBe("end");
});

it("a reader that reads nothing at all is cut off", async () => {
  const id = daemon.queue("etc", "x");
  daemon.start(id);
  await start({ streamLimits: { heartbeatMs: 10_000, stallMs: 100 } });
  const socket = connect(socketPath);
  socket.on("error", () => undefined);
  socket.write(`GET /v1/sessions/${id}/follow HTTP/1.0\r\n\r\n`);
  await vi.waitFor(() => expect(daemon.subscriptions).toBe(1));
  for (let number = 0; number < 10_000; number += 1) daemon.issue(id, issueOf(number));
  await vi.waitFor(() => expect(daemon.subscriptions).toBe(0), 5000);
  socket.destroy();
});

it("a quiet stream has heartbeats, and ends with its reader", async () => {
  await start({ streamLimits: { heartbeatMs: 20, stallMs: 10_000 } });
  const { lines, response } = await openStream("/v1/log?follow=1");
  await vi.waitFor(() => expect(lines.length).toBeGreaterThan(1));
  expect(new Set(lines.map(({ type }) => type))).toEqual(new Set(["heartbeat"]));
  expect(daemon.subscriptions).toBe(1);
  response.destroy();
  await vi.waitFor(() => expect(daemon.subscriptions).toBe(0));
});

it("the log is sent whole however slow its reader is, and followed from there", async () => {
  const count = 10_000;
  for (let number = 0; number < count; number += 1)
    daemon.write(`line ${number} ${"x".repeat(100)}`);
  await start();
  const whole = await openStream(`/v1/log?lines=${count}`);
  whole.response.pause();
  await sleep(20);
  whole.response.resume();
  await whole.ended;
  expect(whole.lines).toHaveLength(count + 1);
  expect(whole.lines.at(-1)).toEqual({ type: "end" });

  const followed = await openStream(`/v1/log?lines=${count}&follow=1`);
  daemon.write("after");
  await vi.waitFor(() => expect(followed.lines).toHaveLength(count + 1), 5000);
  expect(followed.lines.at(-1)).toMatchObject({ line: { text: "after" } });
  followed.response.destroy();
});

it("who watches sees the status at once, then changes, at most twice a second", async () => {
  daemon.addPolicy("etc");
  await start();
  const { lines, response } = await openStream("/v1/watch");
  await vi.waitFor(() => expect(lines).toHaveLength(1));
  let asked = 0;
  const status = daemon.status.bind(daemon);
  daemon.status = () => {
    asked += 1;
    return status();
  };
  for (let number = 0; number < 100; number += 1) {
    daemon.addPolicy(`policy-${number}`);
    await sleep(1);
  }
  await vi.waitFor(() => expect(lines.at(-1)?.["policies"]).toHaveLength(101));
  expect(asked).toBeLessThan(10);
  response.destroy();
  await vi.waitFor(() => expect(daemon.subscriptions).toBe(0));
});

it("one user's many connections leave room for root", async () => {
  let peer: Peer = another;
  await start({ peers: { tellsUsers: true, peerOf: () => peer } });
  const sockets: Socket[] = [];
  for (let number = 0; number < 40; number += 1) {
    const socket = connect(socketPath);
    socket.on("error", () => undefined);
    sockets.push(socket);
  }
  await vi.waitFor(() => expect(sockets.filter(({ closed }) => closed)).toHaveLength(32));
  peer = { kind: "user", uid: 0, processId: 1 };
  expect((await ask("GET", "/v1/status")).status).toBe(200);
  for (const socket of sockets) socket.destroy();
});

it("a second daemon is refused, and the first goes on", async () => {
  await start();
  await expect(claim()).rejects.toMatchObject({ code: "DAEMON_RUNNING" });
  expect((await ask("GET", "/v1/status")).status).toBe(200);
});

it("a socket that a dead daemon left is replaced, one that answers is not", async () => {
  mkdirSync(path.dirname(socketPath));
  const foreign = createServer();
  await new Promise<void>((resolve) => foreign.listen(socketPath, resolve));
  await expect(claim()).rejects.toMatchObject({ code: "DAEMON_RUNNING" });
  await new Promise((resolve) => foreign.close(resolve));

  // Bound and never unlinked, as after kill -9.
  const script = `require("node:net").createServer().listen(${JSON.stringify(socketPath)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script]);
  expect(existsSync(socketPath)).toBe(true);
  await start();
  expect((await ask("GET", "/v1/status")).status).toBe(200);
  await server?.close();
  expect(existsSync(socketPath)).toBe(false);
});

it("places that can't be trusted or used are refused, and left as they are", async () => {
  const problem = async (): Promise<string> => {
    const error: unknown = await claim().catch((reason: unknown) => reason);
    expect(isBackstayError(error, "DAEMON_PLACE"), String(error)).toBe(true);
    return String((error as BackstayError).context["problem"]);
  };
  const run = path.dirname(socketPath);
  mkdirSync(run);
  writeFileSync(socketPath, "precious");
  expect(await problem()).toMatch(/no socket/);
  expect(statSync(socketPath).size).toBe(8);
  chmodSync(run, 0o777);
  expect(await problem()).toMatch(/other users may write/);
  rmSync(run, { recursive: true });
  writeFileSync(run, "");
  expect(await problem()).toMatch(/EEXIST|ENOTDIR|no folder/);
});

const noProgress = { filesDone: 0, bytesDone: 0, currentFiles: [], issues: 0, elapsedMs: 0 };

function issueOf(number: number): { path: string; code: string; message: string } {
  return { path: `/srv/file-${number}`, code: "EACCES", message: "permission denied" };
}

function endedSession(policy: string) {
  return {
    id: "f".repeat(16),
    policy,
    kind: "backup",
    cause: { kind: "schedule", text: "every day at 13:00" },
    attempt: 1,
    priority: 0,
    repository: "/mnt/disk/backup",
    state: "finished",
    queuedMs: 1,
    startedMs: 1,
    finishedMs: 2,
    outcome: "failure",
    issues: 0,
    scripts: [{ name: "preJob", outcome: "done", durationMs: 1, output: "secret" }],
  } as const;
}
