/**
 * Keeps a server for a whole test run: starts it, says where it is in `ready.json` of its folder, and ends it when the run
 * has ended, however that ended.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "./local-processes.ts";

/** The content of `ready.json`. */
export interface KeptServer<Server> {
  readonly server?: Server;
  readonly failure?: string;
}

/** A program's work: its arguments are the folder and the id of the test run's process. */
export async function keepServer<Server>(
  start: () => Promise<Server>,
  stop: (server: Server) => Promise<void>,
): Promise<void> {
  const [folder = "", runId = ""] = process.argv.slice(2);
  const say = (kept: KeptServer<Server>): void => {
    mkdirSync(folder, { recursive: true });
    const ready = path.join(folder, "ready.json");
    writeFileSync(`${ready}.new`, JSON.stringify(kept));
    renameSync(`${ready}.new`, ready);
  };
  let server: Server | undefined;
  try {
    server = await start();
    say({ server });
  } catch (error) {
    say({ failure: String(error) });
  }
  while (isAlive(Number(runId))) await sleep(200);
  if (server !== undefined) await stop(server);
  rmSync(folder, { recursive: true, force: true });
}
