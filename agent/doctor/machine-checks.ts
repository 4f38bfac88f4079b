/** Looks at what every agent stands on, with a daemon or without: its folders, its disk, its clock. */
import type { DoctorCheck } from "../../protocol/local-api/doctor-check.ts";
import { type AgentDirectory, directoryCheck, freeSpaceCheck } from "./directory-checks.ts";

export interface MachineFacts {
  readonly directories: readonly AgentDirectory[];
  /** The user that asks. */
  readonly ownUid: number;
  /** Wall clock, ms since 1970. */
  readonly nowMs: number;
  /** The latest moment that the agent ever noted down, ms since 1970, if it knows one. */
  readonly latestKnownMs?: number;
}

/** Before this program was written no clock can be. */
const earliestMs = Date.UTC(2026, 0, 1);
const latestMs = Date.UTC(2100, 0, 1);
const jumpMs = 5 * 60_000;

/** Never throws: what can't be looked at is `unknown`. */
export function machineChecks(facts: MachineFacts): DoctorCheck[] {
  const { directories, ownUid } = facts;
  const disks = directories.filter(({ purpose }) => purpose === "state" || purpose === "cache");
  return [
    ...directories.map((directory) => directoryCheck(directory, ownUid)),
    ...disks.map(freeSpaceCheck),
    clockCheck(facts),
  ];
}

function clockCheck({ nowMs, latestKnownMs }: MachineFacts): DoctorCheck {
  const head = { code: "clock", title: "clock of this machine" };
  const remedy = "Set the clock, and let the system keep it (timedatectl set-ntp true).";
  const shown = new Date(nowMs).toISOString();
  if (nowMs < earliestMs || nowMs > latestMs)
    return { ...head, verdict: "bad", text: `It shows ${shown}, which can't be.`, remedy };
  if (latestKnownMs !== undefined && nowMs < latestKnownMs - jumpMs) {
    const known = new Date(latestKnownMs).toISOString();
    const text = `It shows ${shown}, and was at ${known} before: it has been set back, or was wrong then.`;
    return { ...head, verdict: "warning", text, remedy };
  }
  return { ...head, verdict: "good", text: `It shows ${shown}.`, remedy: "" };
}
