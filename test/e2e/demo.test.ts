/** `npm run demo` on a small folder: the whole story of a server and a machine, by the programs that people use. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";

const program = fileURLToPath(new URL("../demo/demo.ts", import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), "backstay-demo-test-"));
afterEach(() => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));

/** Its output; `programs` is where programs are looked for. */
async function demo(programs: string, ...args: readonly string[]): Promise<string> {
  const source = path.join(folder, "source");
  mkdirSync(path.join(source, "deep"), { recursive: true });
  writeFileSync(path.join(source, "letter.txt"), "Dear all,\n");
  writeFileSync(path.join(source, "deep", "list"), "1\n2\n3\n");
  const temporary = path.join(folder, "temporary");
  mkdirSync(temporary);
  const child = spawn(process.execPath, ["--no-warnings", program, source, ...args], {
    env: { PATH: programs, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (piece: Buffer) => (text += piece.toString()));
  const exitCode = await new Promise((resolve) => child.once("close", resolve));
  expect(exitCode, text).toBe(0);
  expect(text.match(/^ {6}0 differences$/gm), "both restores are compared").toHaveLength(2);
  expect(readdirSync(temporary)).toEqual([]);
  return text;
}

it("the demo tells its story to the end and leaves nothing behind", async () => {
  const text = await demo(process.env["PATH"] ?? "");
  for (const part of [
    "enrolled as ",
    "asked for by the server",
    "the server says: succeeded",
    "the way: direct",
    "once\n",
    "1 with a warning",
  ])
    expect(text).toContain(part);
});

it("with --s3 it does the same on an S3 server, also where none is installed", async () => {
  const text = await demo("/nonexistent", "--s3");
  expect(text).toContain("the checkout's own small S3 server");
  expect(text).toMatch(/goes to +main at s3:http:/);
});
