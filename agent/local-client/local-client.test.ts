import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { LocalClient } from "./local-client.ts";

let folder = "";
let socketPath = "";
let server: Server | undefined;
const sockets = new Set<Socket>();
const never = new AbortController().signal;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-client-"));
  socketPath = path.join(folder, "s");
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
  rmSync(folder, { recursive: true });
});

/** A server that is not ours: says `pieces` to every request, one after the other, then ends or not. */
async function answering(pieces: readonly string[], ends = true): Promise<LocalClient> {
  const say = async (socket: Socket): Promise<void> => {
    for (const piece of pieces) {
      socket.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    if (ends) socket.end();
  };
  const next = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => void say(socket));
  });
  server = next;
  await new Promise<void>((resolve) => next.listen(socketPath, resolve));
  return new LocalClient({ path: socketPath });
}

const ok = "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n";

it("no daemon is a clear error, with the socket and what to do", async () => {
  const client = new LocalClient({ path: socketPath });
  await expect(client.status(never)).rejects.toMatchObject({
    code: "DAEMON_UNREACHABLE",
    context: { path: socketPath, problem: "ENOENT" },
  });
});

it("an answer may arrive in any pieces", async () => {
  const text = `${ok}{"policies": [], "problems": []}`;
  const client = await answering([...text]);
  expect(await client.policies(never)).toEqual({ policies: [], problems: [] });
});

it.each([
  ["nothing", [""], "DAEMON_LOST"],
  ["half a head", ["HTTP/1.0 200 OK\r\nConte"], "DAEMON_LOST"],
  ["half a body", ["HTTP/1.0 200 OK\r\nContent-Length: 50\r\n\r\n{}"], "DAEMON_LOST"],
  ["no HTTP", ["SSH-2.0-x\r\n\r\n"], "DAEMON_ANSWER"],
  ["an endless head", ["HTTP/1.0 200 OK\r\n", `X: ${"x".repeat(40_000)}`], "DAEMON_ANSWER"],
  ["no JSON", [`${ok}<html>`], "DAEMON_ANSWER"],
  ["no object", [`${ok}5`], "DAEMON_ANSWER"],
  [
    "a problem that this version does not know",
    ['HTTP/1.0 418 x\r\n\r\n{"code":"TEAPOT"}'],
    "DAEMON_ANSWER",
  ],
  [
    "a problem",
    ['HTTP/1.0 503 x\r\n\r\n{"code":"DAEMON_BUSY","context":{"seconds":1}}'],
    "DAEMON_BUSY",
  ],
])("an answer that is %s is an error of its own", async (_, pieces, code) => {
  const client = await answering(pieces);
  await expect(client.policies(never)).rejects.toMatchObject({ code });
});

it("a status of another version is refused, not misread", async () => {
  const client = await answering([`${ok}{"api": 2}`]);
  await expect(client.status(never)).rejects.toMatchObject({
    code: "DAEMON_ANSWER",
    message: expect.stringContaining("version 2"),
  });
});

it("a stream that ends without its end lost the daemon", async () => {
  const client = await answering([`${ok}{"type":"heartbeat"}\n{"type":"prog`, 'ress"}\n']);
  const seen: string[] = [];
  const reading = async (): Promise<void> => {
    for await (const { type } of client.follow("x", never)) seen.push(type);
  };
  await expect(reading()).rejects.toMatchObject({ code: "DAEMON_LOST" });
  expect(seen).toEqual(["heartbeat", "progress"]);
});

it("waiting ends with the signal, before an answer and within one", async () => {
  const client = await answering([`${ok}{"type":"heartbeat"}\n`], false);
  const reason = new Error("enough");
  const before = new AbortController();
  const waiting = client.policies(before.signal);
  before.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await expect(client.policies(AbortSignal.abort(reason))).rejects.toBe(reason);

  const within = new AbortController();
  const reading = async (): Promise<void> => {
    for await (const _ of client.follow("x", within.signal)) within.abort(reason);
  };
  await expect(reading()).rejects.toBe(reason);
});

it("who leaves a stream closes its connection", async () => {
  const client = await answering([`${ok}{"type":"heartbeat"}\n`], false);
  for await (const _ of client.follow("x", never)) break;
  const [socket] = sockets;
  await new Promise<void>((resolve) => {
    if (socket.closed) resolve();
    else socket.once("close", () => resolve());
    socket.resume();
  });
});
