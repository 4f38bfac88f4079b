/** Keeps a Mac awake through `caffeinate`. */
import { spawn } from "node:child_process";
import { toolPath } from "../node/run-tool.ts";

/**
 * Until the result is called, or this process ends in whatever way. A closed lid still sleeps. Harmless where the
 * program is absent.
 */
export async function keepAwake(): Promise<() => Promise<void>> {
  const program = toolPath("caffeinate");
  if (program === undefined) return async () => undefined;
  // Idle sleep, sleep on mains, disks.
  const args = ["-i", "-s", "-m", "-w", String(process.pid)];
  const child = spawn(program, args, { stdio: "ignore", env: { LC_ALL: "C" } });
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  return async () => {
    child.kill();
    await ended;
  };
}
