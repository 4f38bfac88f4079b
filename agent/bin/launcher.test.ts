/** The launchers of a checkout: they find the pinned Node and let nothing of the caller's change how it starts. */
import { execFile, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, "../..");

/** Stands in for the real program: tells how it was started, or does what its first argument says. */
const probe = `
const [first, ...rest]: string[] = process.argv.slice(2);
if (first === "exit") process.exit(Number(rest[0]));
if (first === "wait") {
  process.on("SIGTERM", () => process.exit(42));
  console.log("ready");
  setInterval(() => {}, 1000);
} else {
  console.log(JSON.stringify({ version: process.version, cwd: process.cwd(), argv: process.argv.slice(2), env: process.env }));
}
`;

interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function start(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Outcome> {
  const env = { ...process.env, ...options.env };
  return await new Promise((resolve) => {
    execFile(program, args, { cwd: options.cwd ?? "/", env }, (error, stdout, stderr) => {
      const exitCode = typeof error?.code === "number" ? error.code : error === null ? 0 : -1;
      resolve({ exitCode, stdout, stderr });
    });
  });
}

describe.skipIf(process.platform === "win32")("the launcher of a checkout", () => {
  let folder = "";
  let launcher = "";

  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), "backstay launcher "));
    const bin = path.join(folder, "check out", "agent", "bin");
    mkdirSync(bin, { recursive: true });
    launcher = path.join(bin, "backstay");
    copyFileSync(path.join(here, "backstay"), launcher);
    chmodSync(launcher, 0o755);
    writeFileSync(path.join(bin, "backstay.ts"), probe);
    writeFileSync(path.join(folder, "check out", "package.json"), '{"type":"module"}');
    const runtime = `node-${process.platform}-${process.arch}`;
    const modules = path.join(folder, "check out", "node_modules");
    mkdirSync(modules);
    symlinkSync(path.join(root, "node_modules", runtime), path.join(modules, runtime));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("runs the pinned Node though another one comes first in PATH", async () => {
    const decoys = path.join(folder, "decoys");
    mkdirSync(decoys);
    writeFileSync(path.join(decoys, "node"), "#!/bin/sh\necho decoy\n", { mode: 0o755 });
    const { stdout } = await start(launcher, [], {
      env: { PATH: `${decoys}:${process.env["PATH"]}` },
    });
    expect(JSON.parse(stdout)).toMatchObject({ version: process.version });
  });

  it("keeps the working folder and every argument as it is", async () => {
    const args = ["backup", "a b", "", "$HOME", "*", "--x='\"'", "line\nbreak", "-"];
    const { stdout } = await start(launcher, args, { cwd: "/usr" });
    expect(JSON.parse(stdout)).toMatchObject({ argv: args, cwd: "/usr" });
  });

  it("works through chains of links, relative ones and linked folders", async () => {
    const links = path.join(folder, "links");
    mkdirSync(links);
    symlinkSync("../check out/agent/bin/backstay", path.join(links, "first"));
    symlinkSync("first", path.join(links, "second"));
    symlinkSync(path.join(links, "second"), path.join(folder, "third"));
    symlinkSync(path.join(folder, "check out", "agent", "bin"), path.join(folder, "folder"));
    for (const name of ["links/first", "links/second", "third", "folder/backstay"]) {
      const { stdout } = await start(path.join(folder, name), ["x"]);
      expect(JSON.parse(stdout), name).toMatchObject({ argv: ["x"], version: process.version });
    }
    const byName = await start("sh", ["backstay", "x"], { cwd: path.dirname(launcher) });
    expect(JSON.parse(byName.stdout)).toMatchObject({ argv: ["x"] });
    const relative = await start("./third", ["x"], { cwd: folder });
    expect(JSON.parse(relative.stdout)).toMatchObject({ argv: ["x"] });
  });

  it("starts though the caller's variables would break or change Node", async () => {
    const { stdout, stderr } = await start(launcher, [], {
      env: {
        NODE_OPTIONS: "--require=/nowhere/at-all.js",
        NODE_PATH: "/nowhere",
        OPENSSL_CONF: "/nowhere/openssl.cnf",
        LD_PRELOAD: "",
        LD_LIBRARY_PATH: "/nowhere",
        NODE_EXTRA_CA_CERTS: "/dev/null",
        BACKSTAY_PASSWORD: "kept",
      },
    });
    const { env } = JSON.parse(stdout) as { env: Record<string, string> };
    expect(Object.keys(env)).toEqual(
      expect.arrayContaining(["NODE_EXTRA_CA_CERTS", "BACKSTAY_PASSWORD"]),
    );
    for (const name of ["NODE_OPTIONS", "NODE_PATH", "OPENSSL_CONF", "LD_PRELOAD"])
      expect(env).not.toHaveProperty(name);
    expect(stderr).toBe("");
  });

  it("keeps compiled code beside the checkout's packages, not where the caller says", async () => {
    const { stdout } = await start("./backstay", [], {
      cwd: path.dirname(launcher),
      env: { NODE_COMPILE_CACHE: "/nowhere" },
    });
    const { env } = JSON.parse(stdout) as { env: Record<string, string> };
    const cache = path.join(folder, "check out", "node_modules", ".cache", "backstay");
    expect(path.isAbsolute(env["NODE_COMPILE_CACHE"])).toBe(true);
    expect(path.normalize(env["NODE_COMPILE_CACHE"])).toBe(cache);
    expect(readdirSync(cache)).not.toEqual([]);
  });

  it("starts where compiled code cannot be kept", async () => {
    const copy = path.join(folder, "read only");
    cpSync(path.join(folder, "check out"), copy, { recursive: true, verbatimSymlinks: true });
    rmSync(path.join(copy, "node_modules", ".cache"), { recursive: true, force: true });
    writeFileSync(path.join(copy, "node_modules", ".cache"), "no folder");
    const outcome = await start(path.join(copy, "agent/bin/backstay"), ["exit", "0"]);
    expect(outcome).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });

  it("gives on exit codes and signals, as it is replaced by Node", async () => {
    expect((await start(launcher, ["exit", "12"])).exitCode).toBe(12);
    const child = spawn(launcher, ["wait"], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const exit = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    expect(await exit).toBe(42);
  });

  it("says what to run when the checkout is not set up", async () => {
    const bin = path.join(folder, "fresh", "agent", "bin");
    mkdirSync(bin, { recursive: true });
    copyFileSync(launcher, path.join(bin, "backstay"));
    const { exitCode, stdout, stderr } = await start(path.join(bin, "backstay"), ["status"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toBe(
      `backstay: this checkout is not set up yet. Run: (cd '${path.join(folder, "fresh")}' && npm run setup)\n`,
    );
  });
});

it("every launcher clears the same variables", async () => {
  const variables = (text: string): string[] =>
    [...new Set(text.match(/\b(?:NODE|OPENSSL|LD|DYLD)_[A-Z_]+\b/g))]
      .filter((name) => name !== "NODE_EXTRA_CA_CERTS")
      .toSorted();
  const read = (file: string): string => readFileSync(path.join(root, file), "utf8");
  const expected = variables(read("installers/checkout/clean-environment.mjs"));
  expect(expected.length).toBeGreaterThan(10);
  expect(variables(read("agent/bin/backstay"))).toEqual(expected);
  expect(variables(read("agent/bin/backstay.cmd"))).toEqual(expected);
});
