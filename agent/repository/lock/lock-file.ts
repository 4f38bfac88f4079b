/** Lock files: their JSON, when they conflict, and when their holder is certainly gone. Pure. */
import type { ProcessIdentity } from "../../../platform/process-identity.ts";
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import { JsonFields } from "../json/json-fields.ts";
import { parseJson } from "../json/parse-json.ts";
import { unpackedLimits } from "../unpacked-file.ts";

export interface LockFile {
  /** Milliseconds since 1970 by the holder's clock. */
  readonly timeMs: number;
  readonly exclusive: boolean;
  readonly hostName: string;
  readonly userName: string;
  readonly pid: number;
  readonly machine: string;
  readonly boot: string;
  readonly pidSpace: string;
}

/** restic's age from which a lock counts as stale. */
export const staleAfterMs = 30 * 60 * 1000;
/** A live holder refreshes every five minutes; this much silence is suspicious. */
const silenceMs = 7 * 60 * 1000;

export function encodeLock(
  identity: ProcessIdentity,
  exclusive: boolean,
  timeMs: number,
): Uint8Array {
  const json = {
    time: new Date(timeMs).toISOString(),
    exclusive,
    hostname: identity.hostName,
    username: identity.userName,
    pid: identity.pid,
    ...(identity.uid > 0 ? { uid: identity.uid } : {}),
    ...(identity.gid > 0 ? { gid: identity.gid } : {}),
    // Unknown to restic, which ignores them.
    machine: identity.machine,
    boot: identity.boot,
    pid_space: identity.pidSpace,
  };
  return new TextEncoder().encode(JSON.stringify(json));
}

/** The lock in opened JSON, or undefined if it is none. */
export function decodeLock(json: Uint8Array): LockFile | undefined {
  try {
    const limits = { file: "lock", maximumBytes: unpackedLimits.locks.plainBytesMax };
    const fields = new JsonFields(parseJson(json, limits), "lock");
    const timeMs = Date.parse(fields.string("time"));
    if (Number.isNaN(timeMs)) return undefined;
    return {
      timeMs,
      exclusive: fields.boolean("exclusive", false),
      hostName: shortText(fields, "hostname"),
      userName: shortText(fields, "username"),
      pid: fields.integer("pid", 0),
      machine: shortText(fields, "machine"),
      boot: shortText(fields, "boot"),
      pidSpace: shortText(fields, "pid_space"),
    };
  } catch (error) {
    if (isBackstayError(error, "REPOSITORY_DAMAGED")) return undefined;
    throw error;
  }
}

function shortText(fields: JsonFields, name: string): string {
  return fields.string(name, "").slice(0, 1024);
}

/**
 * restic's rule, for `unlock`: old, or of a dead process of this host. Where a lock tells in which space its process id
 * counts, the id of another space says nothing.
 */
export function isStale(
  lock: LockFile,
  self: ProcessIdentity,
  nowMs: number,
  isAlive: (pid: number) => boolean,
): boolean {
  if (nowMs - lock.timeMs > staleAfterMs) return true;
  if (lock.hostName !== self.hostName || lock.pid === 0) return false;
  if (lock.machine !== "") {
    if (lock.machine !== self.machine) return false;
    if (lock.boot === self.boot && lock.pidSpace !== self.pidSpace) return false;
    if (lock.boot !== self.boot) return isHolderGone(lock, self, nowMs, isAlive);
  }
  return !isAlive(lock.pid);
}

/**
 * The stricter rule by which a session removes a lock unasked: its holder ran on this very machine and is
 * dead. Age alone proves nothing, since clocks differ; host names repeat in containers and on clones.
 */
export function isHolderGone(
  lock: LockFile,
  self: ProcessIdentity,
  nowMs: number,
  isAlive: (pid: number) => boolean,
): boolean {
  if (lock.machine === "" || lock.machine !== self.machine) return false;
  if (lock.hostName !== self.hostName) return false;
  // A time in the future is as old: the clock was set back since.
  if (lock.boot !== self.boot) return Math.abs(nowMs - lock.timeMs) > silenceMs;
  return lock.pid > 0 && lock.pidSpace === self.pidSpace && !isAlive(lock.pid);
}
