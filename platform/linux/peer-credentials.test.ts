import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openPeerIdentity } from "../open-peer-identity.ts";

const isLinux = process.platform === "linux";
let folder = "";
let server: Server;
let accepted: Promise<Socket>;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-peer-"));
  server = createServer();
  accepted = new Promise((resolve) => server.once("connection", resolve));
  await new Promise<void>((resolve) => {
    server.listen({ path: path.join(folder, "s"), writableAll: true, readableAll: true }, resolve);
  });
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

it.runIf(isLinux)("names the user and the process that connected", async () => {
  const client = connect(path.join(folder, "s"));
  const socket = await accepted;
  expect(openPeerIdentity().peerOf(socket)).toEqual({
    kind: "user",
    uid: process.getuid?.(),
    processId: process.pid,
  });
  client.destroy();
  socket.destroy();
});

it.runIf(isLinux && process.getuid?.() === 0)("tells another user from root", async () => {
  chmodSync(folder, 0o711);
  const script = `process.chdir(${JSON.stringify(folder)}); process.setgid(12345); process.setuid(12345);
    require("node:net").connect("s").on("data", () => process.exit()).on("error", (e) => { console.error(e); process.exit(1); })`;
  const child = spawn(process.execPath, ["-e", script], { stdio: "inherit" });
  const socket = await accepted;
  expect(openPeerIdentity().peerOf(socket)).toEqual({
    kind: "user",
    uid: 12_345,
    processId: child.pid,
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  socket.end("x");
  expect(await ended).toBe(0);
});

it("knows nothing of a connection that is gone", async () => {
  const client = connect(path.join(folder, "s"));
  const socket = await accepted;
  socket.destroy();
  expect(openPeerIdentity().peerOf(socket).kind).toBe(isLinux ? "unknown" : expect.any(String));
  client.destroy();
});
