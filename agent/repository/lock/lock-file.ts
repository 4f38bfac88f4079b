/** Lock files: their JSON, when they conflict, and when their holder is certainly gone. Pure. */
import type { ProcessIdentity } from "../../../platform/process-identity.ts";

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
  let parsed: Record<string, unknown>;
  try {
    parsed = JSON.parse(Buffer.from(json).toString("utf8")) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const timeMs = Date.parse(text(parsed["time"]));
  if (Number.isNaN(timeMs)) return undefined;
  return {
    timeMs,
    exclusive: parsed["exclusive"] === true,
    hostName: text(parsed["hostname"]),
    userName: text(parsed["username"]),
    pid: Number.isSafeInteger(parsed["pid"]) ? (parsed["pid"] as number) : 0,
    machine: text(parsed["machine"]),
    boot: text(parsed["boot"]),
    pidSpace: text(parsed["pid_space"]),
  };
}

/** restic's rule, for `unlock`: old, or of a dead process of this host. */
export function isStale(
  lock: LockFile,
  self: ProcessIdentity,
  nowMs: number,
  isAlive: (pid: number) => boolean,
): boolean {
  if (nowMs - lock.timeMs > staleAfterMs) return true;
  return lock.hostName === self.hostName && !isAlive(lock.pid);
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
  if (lock.boot !== self.boot) return nowMs - lock.timeMs > silenceMs;
  return lock.pidSpace === self.pidSpace && !isAlive(lock.pid);
}

function text(value: unknown): string {
  return typeof value === "string" ? value.slice(0, 1024) : "";
}
