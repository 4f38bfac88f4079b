/** The daemon with a wall clock that is as far off as a file says, in ms; nothing else of it is different. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runBackstayd } from "../../agent/daemon/backstayd-program.ts";

const offsetFile = process.env["BACKSTAY_TEST_OFFSET"] ?? "";
const engineFile = fileURLToPath(new URL("../../agent/bin/engine.ts", import.meta.url));
const offsetMs = (): number => Number(readFileSync(offsetFile, "utf8"));

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
    };
  }),
);
