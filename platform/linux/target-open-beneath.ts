/**
 * Opens a directory below another one so that no symlink, `..` or link of /proc is ever followed, even if
 * somebody exchanges directories meanwhile: by openat2 in one call, or on old kernels one component at a time.
 */
import { FileError } from "../ports/source-files.ts";
import { lastErrorName, libc, openFlags } from "./libc.ts";
import { NativeMemory, PathMemory } from "./native-memory.ts";
import { openat2Number, resolveStrictly, targetCalls } from "./target-calls.ts";

/** Longer paths are opened in several steps. */
const stepBytesMax = 4000;
const slash = 0x2f;
const dot = 0x2e;
/** `struct open_how`: flags, mode and resolve, each u64. */
const howBytes = 24;

/** The kernel gives up when names keep changing while it looks; it asks to try again. */
const attemptsMax = 1000;

const directoryFlags =
  openFlags.readOnly | openFlags.directory | openFlags.noFollow | openFlags.closeOnExec;

/** One per thread. */
export class BeneathOpener {
  readonly #libc = libc();
  readonly #calls = targetCalls();
  readonly #path = new PathMemory();
  readonly #how = new NativeMemory(howBytes);
  #hasOpenat2: boolean;

  /** `byComponents` is for tests of what old kernels get. */
  constructor(byComponents = false) {
    this.#hasOpenat2 = !byComponents;
    this.#how.words[0] = directoryFlags;
    this.#how.words[4] = resolveStrictly;
  }

  /** Opens `path`, components joined by `/`, below `parent`. FileError ELOOP, ENOTDIR, EXDEV (for `..`), ENOENT … */
  open(parent: number, path: Uint8Array): number {
    let directory = parent;
    let from = 0;
    try {
      for (;;) {
        const end = this.#hasOpenat2 ? stepEnd(path, from) : componentEnd(path, from);
        const next = this.#step(directory, path.subarray(from, end));
        if (directory !== parent) this.#libc.close(directory);
        directory = next;
        if (end === path.length) return directory;
        from = end + 1;
      }
    } catch (error) {
      if (directory !== parent) this.#libc.close(directory);
      throw error;
    }
  }

  #step(directory: number, path: Uint8Array): number {
    for (let attempt = 0; ; attempt += 1) {
      const opened = this.#hasOpenat2 ? this.#openStrictly(directory, path) : undefined;
      if (opened === undefined) return this.#openComponents(directory, path);
      if (opened >= 0) return opened;
      const code = lastErrorName();
      if (code === "EINTR" || (code === "EAGAIN" && attempt < attemptsMax)) continue;
      throw new FileError(code, "openat2", Buffer.from(path).toString());
    }
  }

  /** The descriptor, a negative number on failure, undefined if this kernel or its filter knows no openat2. */
  #openStrictly(directory: number, path: Uint8Array): number | undefined {
    const address = this.#path.write(path);
    const opened = this.#calls.openat2(
      openat2Number,
      directory,
      address,
      this.#how.address,
      howBytes,
    );
    if (opened >= 0) return opened;
    const code = lastErrorName();
    // Filters of containers answer EPERM to calls that they don't know; the walk tells a real EPERM.
    if (code !== "ENOSYS" && code !== "EPERM") return opened;
    if (code === "ENOSYS") this.#hasOpenat2 = false;
    return undefined;
  }

  #openComponents(parent: number, path: Uint8Array): number {
    let directory = parent;
    for (let from = 0; ; ) {
      const end = componentEnd(path, from);
      const opened = this.#openComponent(directory, path.subarray(from, end));
      if (directory !== parent) this.#libc.close(directory);
      if (typeof opened === "string") {
        throw new FileError(opened, "openat", Buffer.from(path).toString());
      }
      directory = opened;
      if (end === path.length) return directory;
      from = end + 1;
    }
  }

  /** The descriptor or the name of the error. */
  #openComponent(directory: number, name: Uint8Array): number | string {
    if (name.length === 2 && name[0] === dot && name[1] === dot) return "EXDEV";
    const address = this.#path.write(name);
    for (;;) {
      const opened = this.#libc.openat(directory, address, directoryFlags, 0);
      if (opened >= 0) return opened;
      const code = lastErrorName();
      if (code !== "EINTR") return code;
    }
  }
}

function componentEnd(path: Uint8Array, from: number): number {
  const end = path.indexOf(slash, from);
  return end < 0 ? path.length : end;
}

/** End of as many whole components as one call takes. */
function stepEnd(path: Uint8Array, from: number): number {
  if (path.length - from <= stepBytesMax) return path.length;
  const end = path.lastIndexOf(slash, from + stepBytesMax);
  return end <= from ? componentEnd(path, from) : end;
}
