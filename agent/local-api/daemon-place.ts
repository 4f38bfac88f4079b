/** The place where a daemon listens: claimed once, by one process, and cleared of what a dead one left behind. */
import { chmodSync, lstatSync, mkdirSync, type Stats, unlinkSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import type { LocalApiAddress } from "../../platform/local-api-address.ts";
import { openInstanceLock } from "../../platform/open-instance-lock.ts";
import type { InstanceLock } from "../../platform/ports/instance-lock.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";

const answerMs = 2_000;
const writableByOthers = 0o022;

/** Held from before the daemon opens its state until it has closed it. */
export interface DaemonPlace {
  readonly address: LocalApiAddress;
  /** To be called last; harmless if called twice. */
  release(): void;
}

/**
 * Claims the place for this process. A socket that nobody listens on is removed; nothing else ever is. `ownUid` is this
 * process's user. DAEMON_RUNNING, DAEMON_PLACE.
 */
export async function claimDaemonPlace(
  address: LocalApiAddress,
  ownUid: number,
): Promise<DaemonPlace> {
  makeFolder(path.dirname(address.lockFile), address.isPipe ? undefined : ownUid);
  const lock = openInstanceLock(address.lockFile);
  if (lock === undefined) throw new BackstayError("DAEMON_RUNNING", { path: address.path });
  try {
    if (!address.isPipe) await clearSocket(address.path);
    else if (await isAnswered(address.path))
      throw new BackstayError("DAEMON_RUNNING", { path: address.path });
  } catch (error) {
    lock.release();
    throw error;
  }
  return heldPlace(address, lock);
}

function heldPlace(address: LocalApiAddress, lock: InstanceLock): DaemonPlace {
  return { address, release: () => lock.release() };
}

/**
 * Who may write to the folder could put another socket there, and answer in the daemon's place. Without `ownUid` the
 * system has no such owners and modes.
 */
function makeFolder(folder: string, ownUid: number | undefined): void {
  let stat: Stats;
  try {
    const isNew = mkdirSync(folder, { recursive: true, mode: 0o755 }) !== undefined;
    // Others come to the socket through it, whatever this process keeps from them otherwise.
    if (isNew) chmodSync(folder, 0o755);
    stat = lstatSync(folder);
  } catch (error) {
    throw placeError(folder, systemCode(error), error);
  }
  if (!stat.isDirectory()) throw placeError(folder, "it is not a folder");
  if (ownUid === undefined) return;
  if (stat.uid !== ownUid && stat.uid !== 0) throw placeError(folder, "it belongs to another user");
  if ((stat.mode & writableByOthers) !== 0)
    throw placeError(folder, "other users may write to it (chmod go-w corrects that)");
}

async function clearSocket(socket: string): Promise<void> {
  try {
    const stat = lstatSync(socket, { throwIfNoEntry: false });
    if (stat === undefined) return;
    if (!stat.isSocket()) throw placeError(socket, "something that is no socket is there");
    if (await isAnswered(socket)) throw new BackstayError("DAEMON_RUNNING", { path: socket });
    unlinkSync(socket);
  } catch (error) {
    throw error instanceof BackstayError ? error : placeError(socket, systemCode(error), error);
  }
}

/** True if a process listens there; rejects with the system's error if that can't be said. */
function isAnswered(socket: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const connection = connect(socket);
    const end = (settle: () => void): void => {
      connection.destroy();
      settle();
    };
    connection.setTimeout(answerMs, () => end(() => resolve(true)));
    connection.once("connect", () => end(() => resolve(true)));
    connection.once("error", (error: NodeJS.ErrnoException) =>
      end(() => {
        if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(false);
        // A listener whose queue is full.
        else if (error.code === "EAGAIN") resolve(true);
        else reject(error);
      }),
    );
  });
}

function placeError(place: string, problem: string, cause?: unknown): BackstayError {
  return new BackstayError("DAEMON_PLACE", { path: place, problem }, cause);
}

function systemCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
