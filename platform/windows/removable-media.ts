/** Drives of a Windows machine: its letters. */
import { setTimeout as sleep } from "node:timers/promises";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { MountedFileSystem, RemovableMedia } from "../ports/removable-media.ts";
import { listDrives } from "./drives.ts";
import { type VolumeCalls, volumeCalls } from "./kernel32-volumes.ts";

/** Indexers let go of a drive after a moment. */
const lockAttempts = 10;
const lockAttemptMs = 500;

const controlCodes = {
  lockVolume: 0x9_0018,
  dismountVolume: 0x9_0020,
  mediaRemoval: 0x2d_4804,
  ejectMedia: 0x2d_4808,
} as const;
const nothing = new Uint8Array(0);
/** PREVENT_MEDIA_REMOVAL: no longer. */
const allowRemoval = Uint8Array.of(0);

export interface WindowsRemovableMediaOptions {
  /** Paths on drives that the machine can't do without. */
  readonly systemPaths: readonly string[];
  /** Other calls than the system's, for tests. */
  readonly calls?: VolumeCalls;
  readonly attemptMs?: number;
}

export class WindowsRemovableMedia implements RemovableMedia {
  readonly #options: WindowsRemovableMediaOptions;
  readonly #calls: VolumeCalls;

  constructor(options: WindowsRemovableMediaOptions) {
    this.#options = options;
    this.#calls = options.calls ?? volumeCalls;
  }

  async mounted(): Promise<readonly MountedFileSystem[]> {
    return await listDrives(this.#calls);
  }

  async eject(path: string): Promise<void> {
    const letter = letterOf(path);
    if (letter === undefined) throw failure(path, "it lies on no drive of this machine");
    if (this.#options.systemPaths.some((each) => letterOf(each) === letter))
      throw failure(path, "the machine itself needs this drive");
    const drive = (await listDrives(this.#calls)).find((each) => letterOf(each.path) === letter);
    if (drive === undefined || drive.isNetwork)
      throw failure(path, "it lies on no drive of this machine");
    if (drive.removable !== true) throw failure(path, "the drive is built in");
    let device: ReturnType<VolumeCalls["openDevice"]> | undefined;
    try {
      device = this.#calls.openDevice(`\\\\.\\${letter}:`, "write");
      await this.#takeOut(device);
    } catch (error) {
      throw failure(path, error instanceof Error ? error.message : String(error), error);
    } finally {
      if (device !== undefined) this.#calls.close(device);
    }
  }

  async #takeOut(device: ReturnType<VolumeCalls["openDevice"]>): Promise<void> {
    await this.#lock(device);
    await this.#calls.control(device, controlCodes.dismountVolume, nothing, 0);
    await this.#calls.control(device, controlCodes.mediaRemoval, allowRemoval, 0);
    await this.#calls.control(device, controlCodes.ejectMedia, nothing, 0);
  }

  /** Windows flushes a volume before it locks it, and refuses while anybody has a file open there. */
  async #lock(device: ReturnType<VolumeCalls["openDevice"]>): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#calls.control(device, controlCodes.lockVolume, nothing, 0);
        return;
      } catch (error) {
        if (attempt === lockAttempts)
          throw new Error("somebody has files open on it", { cause: error });
      }
      await sleep(this.#options.attemptMs ?? lockAttemptMs);
    }
  }
}

/** The capital letter of a path that begins with one; undefined for all others. */
function letterOf(path: string): string | undefined {
  return /^(?:\\\\\?\\)?([A-Za-z]):(?:\\|\/|$)/.exec(path)?.[1].toUpperCase();
}

function failure(path: string, reason: string, cause?: unknown): BackstayError {
  return new BackstayError("EJECT_FAILED", { path, reason }, cause);
}
