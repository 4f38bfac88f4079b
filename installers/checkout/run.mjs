/**
 * What `npm run …` starts in a checkout: makes sure that the set-up is done, then runs the wanted command on
 * the Node that this project pins, whatever Node came first in PATH. Plain JavaScript that any Node from 20 on runs.
 *
 *   node installers/checkout/run.mjs setup|demo|test|check|fix|bench|swarm|systemd [arguments]
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { cleanEnvironment } from "./clean-environment.mjs";
import { isInstalled, pinnedNode, runtimePackages } from "./pinned-node.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const codeRoots = ["agent", "server", "platform", "storage", "protocol", "installers", "test"];
const forwardedSignals = ["SIGINT", "SIGTERM", "SIGHUP"];

const commands = {
  setup: async () => {
    console.log(`Set-up is done: ${path.relative(root, requirePinnedNode())}`);
    return 0;
  },
  demo: (node, args) => run(node, ["test/demo/demo.ts", ...args]),
  bench: (node, args) => run(node, ["test/bench/bench.ts", ...args]),
  swarm: (node, args) => run(node, ["test/swarm/swarm.ts", ...args]),
  systemd: (node, args) => run(node, ["test/systemd-guest/systemd-guest.ts", ...args]),
  test: runTests,
  check: runChecks,
  fix: (node, args) =>
    run(node, [tool("@biomejs/biome", "bin/biome"), "check", "--write", ...args]),
};

/** Runs the tests and ends with one plain line, `N passed, N failed`, whatever happened before it. */
async function runTests(node, args) {
  const folder = mkdtempSync(path.join(tmpdir(), "backstay-test-run-"));
  const resultFile = path.join(folder, "result.json");
  try {
    const exitCode = await run(node, [tool("vitest", "vitest.mjs"), "run", ...args], {
      BACKSTAY_TEST_RESULT: resultFile,
    });
    const hasCounts = existsSync(resultFile);
    const counts = hasCounts
      ? JSON.parse(readFileSync(resultFile, "utf8"))
      : { passed: 0, failed: 0, skipped: 0 };
    // A run that broke without a failed test (a bad configuration, nothing found) must not read as green.
    const isBroken = counts.failed === 0 && (exitCode !== 0 || !hasCounts);
    const failed = isBroken ? 1 : counts.failed;
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
    console.log(`${counts.passed} passed, ${failed} failed${skipped}`);
    return exitCode === 0 && failed > 0 ? 1 : exitCode;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs every static check, also after one has failed, and names those that did. */
async function runChecks(node, args) {
  const roots = codeRoots.filter((name) => existsSync(path.join(root, name)));
  const steps = [
    ["format and lint", [tool("@biomejs/biome", "bin/biome"), "check", ...args]],
    ["lint with types", [tool("oxlint", "bin/oxlint"), "--type-aware", ...roots]],
    ["types", [tool("typescript", "bin/tsc"), "-p", "."]],
    ["dead code", [tool("knip", "bin/knip.js"), "--no-progress"]],
    ["architecture", [tool("vitest", "vitest.mjs"), "run", "test/architecture"]],
  ];
  const failed = [];
  for (const [name, command] of steps) {
    console.log(`\n== ${name}`);
    if ((await run(node, command)) !== 0) failed.push(name);
  }
  console.log(failed.length === 0 ? "\nAll checks passed." : `\nFailed: ${failed.join(", ")}.`);
  return failed.length === 0 ? 0 : 1;
}

/** Installs the dependencies of the lockfile, if what is installed differs from it. */
async function installIfNeeded() {
  if (isInstalled(root)) return;
  console.log("Installing the dependencies of package-lock.json (npm ci, no scripts) ...");
  const options = ["ci", "--ignore-scripts", "--no-fund", "--no-audit", "--loglevel=error"];
  options.push("--include=dev", "--include=optional", "--no-update-notifier");
  const npmProgram = process.env.npm_execpath;
  const exitCode =
    npmProgram?.endsWith("npm-cli.js") === true
      ? await run(process.execPath, [npmProgram, ...options])
      : await run("npm", options, {}, process.platform === "win32");
  if (exitCode !== 0) fail(`npm ci ended with ${exitCode}; nothing else was run.`);
}

/** The pinned Node, or the end of this process with a text that says what is wrong. */
function requirePinnedNode() {
  const node = pinnedNode(root, process.platform, process.arch);
  if (node !== undefined && existsSync(node)) return node;
  const system = `${process.platform}-${process.arch}`;
  if (node === undefined) {
    fail(
      `Backstay has no Node runtime for ${system}. It has one for: ${runtimePackages.join(", ")}.`,
    );
  }
  return fail(
    `The pinned Node of this checkout is missing (${path.relative(root, node)}). Was npm told to leave out ` +
      "optional dependencies? Remove node_modules and run `npm run setup` again.",
  );
}

/** Path of a program of an installed package. */
function tool(packageName, file) {
  return path.join(root, "node_modules", packageName, file);
}

/** Runs a program in the checkout and resolves with its exit code; signals are passed on, its death by signal is taken over. */
function run(program, args, extraEnvironment = {}, shell = false) {
  const env = { ...cleanEnvironment(process.env), ...extraEnvironment };
  env.NODE_COMPILE_CACHE = path.join(root, "node_modules", ".cache", "backstay");
  const pathName = Object.keys(env).find((name) => name.toUpperCase() === "PATH") ?? "PATH";
  env[pathName] = [path.dirname(program), env[pathName]]
    .filter((part) => part !== ".")
    .join(path.delimiter);
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, env, stdio: "inherit", shell });
    // From a terminal the whole process group gets Ctrl-C already; a second one would mean "at once".
    const forward = (signal) => {
      if (signal !== "SIGINT" || process.stdin.isTTY !== true) child.kill(signal);
    };
    for (const signal of forwardedSignals) process.on(signal, forward);
    child.on("error", (error) => fail(`${program} cannot be started here: ${error.message}`));
    child.on("close", (code, signal) => {
      for (const name of forwardedSignals) process.off(name, forward);
      resolve(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

const [name, ...args] = process.argv.slice(2);
if (name === undefined || !Object.hasOwn(commands, name)) {
  fail(`Usage: node installers/checkout/run.mjs ${Object.keys(commands).join("|")} [arguments]`);
}
await installIfNeeded();
process.exitCode = await commands[name](requirePinnedNode(), args);
