/** Starts backups of a scene in processes of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import type { BackupIssue, BackupSummary } from "../../agent/backup/backup-request.ts";
import type { BackupScene } from "./backup-scene.ts";
import type { SourceChange } from "./changing-source.ts";
import type { KillMoment } from "./kill-moment.ts";

const program = fileURLToPath(new URL("../faults/backup-child.ts", import.meta.url));
const preload = new URL("changing-source.ts", import.meta.url).href;

export interface ProcessOptions {
  /** Called when the backup has begun. */
  readonly onStart?: (child: ChildProcess) => void;
  /** What happens to the source meanwhile. */
  readonly changes?: readonly SourceChange[];
  /** When the process kills itself. */
  readonly killAfter?: KillMoment;
  readonly user?: number;
  /** How many files the process may have open. */
  readonly openFiles?: number;
}

/** How a process ended. */
export interface EndedProcess {
  /** Null if it was killed. */
  readonly code: number | null;
  readonly summary: (BackupSummary & { readonly named: readonly BackupIssue[] }) | undefined;
  /** Code of the error that it reported. */
  readonly error: string | undefined;
  /** From the beginning of the backup. */
  readonly elapsedMs: number;
}

export async function backUpInProcess(
  scene: BackupScene,
  options: ProcessOptions = {},
): Promise<EndedProcess> {
  const { changes, killAfter, user, openFiles, onStart } = options;
  const given = {
    repository: scene.repositoryFolder,
    cacheRoot: scene.cacheRoot,
    source: scene.source,
    killAfter,
  };
  const flags = changes === undefined ? [] : ["--import", preload];
  const command = [process.execPath, ...flags, program, JSON.stringify(given)];
  if (openFiles !== undefined) command.unshift("prlimit", `--nofile=${openFiles}:${openFiles}`);
  const [file = "", ...rest] = command;
  const child = spawn(file, rest, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, BACKSTAY_TEST_CHANGES: JSON.stringify(changes ?? []) },
    ...(user === undefined ? {} : { uid: user, gid: user }),
  });
  let output = "";
  let startedAt = 0;
  child.stdout.on("data", (data: Buffer) => {
    output += data.toString();
    if (startedAt > 0) return;
    startedAt = performance.now();
    onStart?.(child);
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  const elapsedMs = performance.now() - startedAt;
  const line = output.split("\n").find((text) => text.startsWith("{"));
  const told = line === undefined ? {} : (JSON.parse(line) as object);
  const error = "error" in told ? String(told.error) : undefined;
  const summary = "bytesRead" in told ? (told as EndedProcess["summary"]) : undefined;
  return { code, summary, error, elapsedMs };
}
