/** Looks at the folders of an agent: are they there, does nobody else write to them, is there room. */
import { lstatSync, type Stats, statfsSync } from "node:fs";
import path from "node:path";
import type { DoctorCheck } from "../../protocol/local-api/doctor-check.ts";

export interface AgentDirectory {
  readonly path: string;
  readonly purpose: "configuration" | "state" | "runtime" | "cache";
}

const writableByOthers = 0o022;
const readableByOthers = 0o077;
const gibibyte = 2 ** 30;
const leastFreeBytes = 100 * 2 ** 20;
const smallShare = 0.05;

/** What is wrong with a folder, or that it is as it should be. `ownUid` is who asks: the daemon's user. */
export function directoryCheck(
  { path: folder, purpose }: AgentDirectory,
  ownUid: number,
): DoctorCheck {
  const head = { code: `${purpose}-directory`, title: `folder for ${purpose}: ${folder}` };
  let stat: Stats | undefined;
  try {
    stat = lstatSync(folder, { throwIfNoEntry: false });
  } catch (error) {
    const text = `It can't be looked at (${systemCode(error)}).`;
    return { ...head, verdict: "unknown", text, remedy: "Run this as root." };
  }
  if (stat === undefined)
    return { ...head, verdict: "unknown", text: "It is not there yet.", remedy: startDaemon };
  if (!stat.isDirectory())
    return { ...head, verdict: "bad", text: "It is no folder.", remedy: `Move ${folder} away.` };
  const mode = (stat.mode & 0o777).toString(8).padStart(3, "0");
  if (stat.uid !== ownUid && stat.uid !== 0)
    return {
      ...head,
      verdict: "bad",
      text: `It belongs to user ${stat.uid}, who could change what the daemon does.`,
      remedy: `Give it to the daemon's user: chown root '${folder}'.`,
    };
  if ((stat.mode & writableByOthers) !== 0)
    return {
      ...head,
      verdict: "bad",
      text: `Other users may write to it (mode ${mode}).`,
      remedy: `Take that away: chmod go-w '${folder}'.`,
    };
  if (purpose === "state" && (stat.mode & readableByOthers) !== 0)
    return {
      ...head,
      verdict: "warning",
      text: `Other users may look into it (mode ${mode}).`,
      remedy: `Take that away: chmod 700 '${folder}'.`,
    };
  return { ...head, verdict: "good", text: `It is there, with mode ${mode}.`, remedy: "" };
}

const startDaemon = "The daemon makes it at its first start.";

/** Whether the disk of a folder, or of the nearest one above that exists, has room. */
export function freeSpaceCheck({ path: folder, purpose }: AgentDirectory): DoctorCheck {
  const head = { code: `${purpose}-free-space`, title: `room for ${purpose}: ${folder}` };
  const space = spaceOf(folder);
  if (space === undefined)
    return { ...head, verdict: "unknown", text: "Its disk can't be asked.", remedy: "" };
  const { freeBytes, totalBytes } = space;
  const text = `${(freeBytes / gibibyte).toFixed(1)} GiB of ${(totalBytes / gibibyte).toFixed(1)} GiB are free.`;
  const remedy = "Free space on that disk, or move the agent elsewhere with BACKSTAY_HOME.";
  if (freeBytes < leastFreeBytes) return { ...head, verdict: "bad", text, remedy };
  if (freeBytes < gibibyte && freeBytes < smallShare * totalBytes)
    return { ...head, verdict: "warning", text, remedy };
  return { ...head, verdict: "good", text, remedy: "" };
}

function spaceOf(folder: string): { freeBytes: number; totalBytes: number } | undefined {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    try {
      const { bavail, blocks, bsize } = statfsSync(at);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch (error) {
      if (systemCode(error) !== "ENOENT" || at === path.dirname(at)) return undefined;
    }
  }
}

function systemCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
