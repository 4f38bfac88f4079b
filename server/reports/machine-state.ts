/** How a machine is, in one word and with the reason: the one place where the server decides that. Pure. */
import type { MachineState } from "../../protocol/management/sessions.ts";

/** What the server knows of a machine, as yes and no: so that counts over all machines come to the same as each one. */
export interface MachineFacts {
  readonly status: "active" | "suspended" | "revoked";
  /** It has been heard of since it was enrolled. */
  readonly isHeard: boolean;
  readonly isSilent: boolean;
  /** A policy that is switched on is known to be on it. */
  readonly hasPolicy: boolean;
  readonly isOverdue: boolean;
  /** One of the overdue policies has no good backup at all. */
  readonly hasNone: boolean;
  readonly hasFailed: boolean;
  /** By its own word: `ok`, `warning`, `error`, `critical`; empty before the first. */
  readonly health: string;
}

const hourMs = 3_600_000;
/** Servers run all the time; a workstation may be on holiday. */
export const silentAfterMs = { server: hourMs, workstation: 7 * 24 * hourMs } as const;

export function machineState(facts: MachineFacts): { state: MachineState; reason: string } {
  const { status, isHeard, isSilent, hasPolicy, isOverdue, hasNone, hasFailed, health } = facts;
  if (status === "revoked") return { state: "revoked", reason: "Its identity was revoked." };
  if (status === "suspended")
    return { state: "suspended", reason: "It is suspended: the server takes nothing from it." };
  if (isOverdue) {
    const lack = hasNone
      ? "It should have its first good backup by now, and has none"
      : "Its last good backup is older than its policy wants";
    const rest = isSilent || !isHeard ? ", and nothing is heard of it." : ".";
    return { state: "overdue", reason: lack + rest };
  }
  if (!isHeard)
    return { state: "waiting", reason: "It was enrolled and has not been heard of yet." };
  if (isSilent) return { state: "silent", reason: "Nothing was heard of it for long." };
  if (!hasPolicy) return { state: "unprotected", reason: "No policy backs it up." };
  if (hasFailed)
    return { state: "failing", reason: "The last backup of one of its policies failed." };
  if (health === "error" || health === "critical")
    return { state: "error", reason: "It reports an error; its conditions tell which." };
  if (health === "warning")
    return { state: "warning", reason: "It reports a warning; its conditions tell which." };
  return { state: "ok", reason: "Its backups are as new as its policies want." };
}
