/**
 * The real daemon with one thing about it odd, as files say: a wall clock that is off by so many ms, or an engine that
 * hangs or eats memory as long as a file says so, and is the real one otherwise.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { runBackstayd } from "../../agent/daemon/backstayd-program.ts";

const folder = process.env["BACKSTAY_TEST_ODDITIES"] ?? "";
const engineFile = fileURLToPath(new URL("../../agent/bin/engine.ts", import.meta.url));
const oddity = (name: string): string | undefined => {
  const file = path.join(folder, name);
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
};
const offsetMs = (): number => Number(oddity("clock-offset") ?? 0);
const oddEngines = {
  hang: "setInterval(() => {}, 1000)",
  eat: "const all = []; setInterval(() => all.push(Buffer.alloc(2 ** 25, 1)), 20)",
};

process.exit(
  await runBackstayd(process.env, engineFile, (options) => {
    const { clock } = options;
    return {
      ...options,
      clock: {
        now: () => clock.now() + offsetMs(),
        monotonic: () => clock.monotonic(),
        sleep: async (delayMs, signal) => await clock.sleep(delayMs, signal),
      },
      watch: { tickMs: 100, silenceMs: 15_000, stallMs: 60_000, graceMs: 5000 },
      spawnEngine: () => {
        const kind = oddity("engine") as keyof typeof oddEngines | undefined;
        if (kind === undefined) return options.spawnEngine();
        return spawn(process.execPath, ["-e", oddEngines[kind]], { stdio: "pipe", detached: true });
      },
    };
  }),
);
