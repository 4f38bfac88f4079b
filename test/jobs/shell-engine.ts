/** Engines that are small shell scripts: they do to their daemon what real ones do rarely. */
import { spawn } from "node:child_process";
import type { EngineSpawner } from "../../agent/jobs/engine-spawner.ts";
import type { BackupFigures, EngineMessage, RunReport } from "../../protocol/run-order.ts";

export const sampleFigures: BackupFigures = {
  snapshotId: "ab".repeat(32),
  filesNew: 1,
  filesChanged: 0,
  filesUnmodified: 0,
  dirsNew: 0,
  dirsChanged: 0,
  dirsUnmodified: 0,
  dataBlobs: 1,
  treeBlobs: 1,
  totalFilesProcessed: 1,
  totalBytesProcessed: 5,
  bytesRead: 5,
  bytesStored: 9,
  dataAdded: 5,
  dataAddedPacked: 7,
  packsRecovered: 0,
  startMs: 1,
  endMs: 2,
  issues: 0,
};

export const goodReport: RunReport = {
  outcome: "success",
  exitCode: 0,
  issues: 0,
  backup: sampleFigures,
};
export const canceledReport: RunReport = { outcome: "canceled", exitCode: 130, issues: 0 };

/** A line of shell that says a message. */
export function say(message: EngineMessage | { type: string }): string {
  return `printf '%s\\n' '${JSON.stringify(message).replaceAll("'", "'\\''")}'`;
}

export const sayReport = (report: RunReport): string => say({ type: "report", report });

export function sayProgress(filesDone: number, bytesDone = 0, bytesTotal = 100): string {
  const progress = {
    filesDone,
    bytesDone,
    bytesTotal,
    currentFiles: [],
    issues: 0,
    elapsedMs: filesDone * 1000,
  };
  return say({ type: "progress", progress });
}

/** Reads the order and then does what the lines say. */
export function shellEngine(...lines: readonly string[]): EngineSpawner {
  return () =>
    spawn("sh", ["-c", ["read -r order", ...lines].join("\n")], {
      stdio: "pipe",
      detached: true,
    });
}
