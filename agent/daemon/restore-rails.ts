/** What the owner of the machine allows restores to do that the daemon carries out. */
import { realpathSync } from "node:fs";
import path from "node:path";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { GuardRails } from "../../protocol/policy/guard-rails.ts";
import type { SessionTask } from "../../protocol/session-record.ts";
import { isBelowAny } from "../policy/guard-rail-objections.ts";

type RestoreTask = Extract<SessionTask, { kind: "restore" }>;

export interface AllowedTarget {
  /** Absolute, without symbolic links as far as it exists. */
  readonly target: string;
  readonly onlyIntoEmpty: boolean;
}

/**
 * The target of a restore, if the guard rails allow it; `ownFolders` are the agent's, which nothing is restored over.
 * RESTORE_RESTRICTED otherwise.
 */
export function allowedTarget(
  task: RestoreTask,
  rails: GuardRails,
  ownFolders: readonly string[],
): AllowedTarget {
  const refused = (reason: string): BackstayError =>
    new BackstayError("RESTORE_RESTRICTED", { target: task.target, reason });
  if (!path.isAbsolute(task.target)) throw refused("it is no absolute path");
  const remote = rails.remoteRestore ?? "new-folder";
  const isRemote = task.origin === "server";
  if (isRemote && remote === "off") throw refused("restores by the server are switched off here");
  const target = resolved(task.target);
  const places = rails.restoreTargets?.map(resolved);
  if (places !== undefined && !isBelowAny(target, places))
    throw refused("it lies in none of the folders that may be restored into");
  if (isBelowAny(target, ownFolders.map(resolved)))
    throw refused("it lies in a folder of the agent itself");
  return { target, onlyIntoEmpty: isRemote && remote === "new-folder" };
}

/** With the links of what exists followed, so that no link leads out of an allowed folder. */
function resolved(place: string): string {
  const whole = path.resolve(place);
  for (let existing = whole; ; existing = path.dirname(existing))
    try {
      return path.join(realpathSync(existing), path.relative(existing, whole));
    } catch {
      if (path.dirname(existing) === existing) return whole;
    }
}
