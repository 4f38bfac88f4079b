import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { isBackstayError } from "../protocol/backstay-error.ts";
import { openInstanceLock } from "./open-instance-lock.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-lock-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("one holds the lock, the next gets it once it is released", () => {
  const file = path.join(folder, "lock");
  const first = openInstanceLock(file);
  expect(first).toBeDefined();
  expect(readFileSync(file, "utf8")).toBe(`${process.pid}\n`);
  expect(openInstanceLock(file)).toBeUndefined();
  first?.release();
  first?.release();
  const second = openInstanceLock(file);
  expect(second).toBeDefined();
  second?.release();
});

it("the lock of a process that was killed is free", async () => {
  const file = path.join(folder, "lock");
  const module = path.join(import.meta.dirname, "open-instance-lock.ts");
  const script = `import(${JSON.stringify(module)}).then(({ openInstanceLock }) => {
    globalThis.held = openInstanceLock(${JSON.stringify(file)}); console.log("held"); setInterval(() => {}, 1000); })`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  expect(openInstanceLock(file)).toBeUndefined();
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
  const lock = openInstanceLock(file);
  expect(lock).toBeDefined();
  lock?.release();
});

it("a place that is not there is a clear error", () => {
  const open = (): unknown => openInstanceLock(path.join(folder, "none", "lock"));
  expect(open).toThrow(expect.toSatisfy((error) => isBackstayError(error, "DAEMON_PLACE")));
});
