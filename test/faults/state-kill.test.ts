/** A process that is killed while it writes to the state: all that it was told is durable is there, and nothing is torn. */
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { openState } from "../../agent/state/open-state.ts";
import { sessionStates } from "../../protocol/session-record.ts";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import { newMemoryFolder } from "../memory-folder.ts";
import { noTrouble } from "../state/state-samples.ts";

const program = fileURLToPath(new URL("../state/state-writer.ts", import.meta.url));
const kills = Number(process.env["BACKSTAY_KILLS"] ?? 12);

const stepOf = (name: string): number => sessionStates.findIndex((step) => step.startsWith(name));

async function writeUntilKilled(folder: string, afterLines: number): Promise<string[]> {
  const child = spawn(process.execPath, [program, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (data: Buffer) => {
    output += data.toString();
    if (output.split("\n").length > afterLines) child.kill("SIGKILL");
  });
  await new Promise((resolve) => child.once("close", resolve));
  expect(child.signalCode).toBe("SIGKILL");
  return output.split("\n").slice(0, -1);
}

it(`keeps every commit through ${kills} kills`, { timeout: 60_000 + kills * 5000 }, async () => {
  const folder = newMemoryFolder("state-kill-");
  const random = seededRandom(5);
  const told = new Map<string, string>();
  try {
    for (let kill = 0; kill < kills; kill += 1) {
      for (const line of await writeUntilKilled(folder, 1 + Math.floor(random() * 200))) {
        const [id = "", step = ""] = line.split(" ");
        told.set(id, step);
      }
      const state = openState({ folder, nowMs: () => 0, onTrouble: noTrouble });
      for (const [id, step] of told) {
        const found = state.sessions.get(id)?.state ?? "queued";
        // The next step may have been written and not told.
        const steps = stepOf(found) - stepOf(step);
        expect([0, 1], `${id} was told ${step}, is ${found}`).toContain(steps);
        expect(state.sessions.issues(id).length).toBeGreaterThanOrEqual(stepOf(step));
      }
      state.close();
    }
    expect(told.size).toBeGreaterThan(kills);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
