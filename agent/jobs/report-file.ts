/** The reports that engines leave in files, for a daemon that did not live to read their last message. */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import type { RunReport } from "../../protocol/run-order.ts";
import { EngineMessages } from "./engine-messages.ts";

/** Where the engine of a session leaves its report. */
export function reportFile(folder: string, sessionId: string): string {
  return path.join(folder, `${sessionId}.json`);
}

/** The report that an engine has left; undefined if there is none that can be read. */
export function readReport(folder: string, sessionId: string): RunReport | undefined {
  try {
    const text = readFileSync(reportFile(folder, sessionId), "utf8");
    const line = Buffer.from(`{"type":"report","report":${text.trim()}}\n`);
    const message = new EngineMessages().read(line)[0];
    return message?.type === "report" ? message.report : undefined;
  } catch {
    // Not there, or not whole: as if the engine had been killed.
    return undefined;
  }
}

export function removeReport(folder: string, sessionId: string): void {
  try {
    rmSync(reportFile(folder, sessionId), { force: true });
  } catch {
    // A disk that can't be written; the next start tries again.
  }
}

/** Makes the folder, and removes the reports that no session waits for. */
export function tidyReports(folder: string, isWanted: (sessionId: string) => boolean): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(folder))
      if (!isWanted(path.parse(name).name)) rmSync(path.join(folder, name), { force: true });
  } catch {
    // Without the folder engines leave no reports: that costs the outcome of a run whose daemon dies.
  }
}
