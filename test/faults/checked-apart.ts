/** Runs a check in a process of its own, so that its memory can be measured: `node checked-apart.ts FOLDER PASSWORD`. */
import { readFileSync } from "node:fs";
import { runCheck } from "../../agent/check/run-check.ts";
import { Repository } from "../../agent/repository/repository.ts";
import { LocalStore } from "../../storage/local/local-store.ts";

const [folder, password] = process.argv.slice(2);
const signal = new AbortController().signal;
const store = new LocalStore(folder);
const repository = await Repository.open(store, { password: Buffer.from(password), signal });
const startMs = performance.now();
const { problems, problemCount } = await runCheck(
  repository,
  { readData: { kind: "all" }, lockWaitMs: 0, noLock: true },
  {},
  signal,
);
console.log(
  JSON.stringify({
    problemCount,
    problems: problems.slice(0, 20).map(({ kind, object, details }) => ({ kind, object, details })),
    durationMs: performance.now() - startMs,
    // `maxRSS` of the system's usage would count what the process that started this one has used.
    peakBytes:
      Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024,
  }),
);
