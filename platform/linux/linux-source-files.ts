/** The Linux adapter of the source ports: system calls on raw bytes, walking by descriptor. */
import type {
  DirectoryToken,
  ExtendedAttribute,
  SourceDirectory,
  SourceFile,
  SourceFiles,
  SourceMedium,
} from "../ports/source-files.ts";
import { modeType } from "../ports/stat-record.ts";
import { AccountNames } from "./account-names.ts";
import { fileError } from "./entry-path.ts";
import { currentDirectory, fileAdvice, libc, openFlags } from "./libc.ts";
import { openLinuxDirectory } from "./linux-source-directory.ts";
import { LinuxSourceFile } from "./linux-source-file.ts";
import { mediumOf } from "./medium.ts";
import { tryOpen } from "./open-descriptor.ts";
import { openFilesMax } from "./open-files-limit.ts";
import { ReadingCalls } from "./reading-calls.ts";
import { statxMode, statxSize } from "./stat-decoder.ts";

const fileFlags = openFlags.noFollow | openFlags.nonBlocking | openFlags.noControllingTerminal;

/** From this size on, telling the kernel how a file will be read is worth two more calls. */
const largeFileBytes = 8 * 1024 * 1024;

const noBytes = new Uint8Array(0);
const slash = 0x2f;

export class LinuxSourceFiles implements SourceFiles {
  readonly #libc = libc();
  readonly #calls = new ReadingCalls();
  readonly #accounts = new AccountNames();

  openDirectory(path: Uint8Array): SourceDirectory {
    return openLinuxDirectory(withoutTrailingSlashes(path), this.#calls);
  }

  openFile(directory: DirectoryToken, name: Uint8Array): SourceFile {
    const address = this.#calls.entries.path.write(name);
    const opened = tryOpen(directory.descriptor, address, fileFlags);
    if (typeof opened === "string") {
      // A socket can't be opened at all, and so says that it is no regular file.
      throw fileError(opened === "ENXIO" ? "EINVAL" : opened, "openat", directory.path, name);
    }
    try {
      this.#calls.entries.askDescriptor(opened, directory.path, name);
      if ((statxMode(this.#calls.entries.statx) & modeType.mask) !== modeType.file) {
        throw fileError("EINVAL", "openat", directory.path, name);
      }
    } catch (error) {
      this.#libc.close(opened);
      throw error;
    }
    if (statxSize(this.#calls.entries.statx) >= largeFileBytes) {
      // Read ahead further, and don't push out what other programs hold in the page cache for it.
      this.#libc.posix_fadvise(opened, 0, 0, fileAdvice.sequential);
      this.#libc.posix_fadvise(opened, 0, 0, fileAdvice.noReuse);
    }
    return new LinuxSourceFile(opened, this.#calls, directory.path, name);
  }

  stat(path: Uint8Array, record: Uint8Array, offset: number): void {
    const plain = withoutTrailingSlashes(path);
    this.#calls.entries.stat(currentDirectory, plain, noBytes, record, offset);
  }

  readLink(path: Uint8Array): Uint8Array {
    return this.#calls.entries.readLink(currentDirectory, withoutTrailingSlashes(path), noBytes);
  }

  extendedAttributes(path: Uint8Array): ExtendedAttribute[] {
    const plain = withoutTrailingSlashes(path);
    return this.#calls.attributes.ofEntry(currentDirectory, plain, noBytes);
  }

  medium(path: Uint8Array): SourceMedium {
    return mediumOf(path, this.#calls.entries);
  }

  openFilesMax(): number {
    return openFilesMax();
  }

  userName(uid: number): string {
    return this.#accounts.userName(uid);
  }

  groupName(gid: number): string {
    return this.#accounts.groupName(gid);
  }
}

/** A slash at the end would make the kernel follow a symlink. */
function withoutTrailingSlashes(path: Uint8Array): Uint8Array {
  let end = path.length;
  while (end > 1 && path[end - 1] === slash) {
    end--;
  }
  return end === path.length ? path : path.subarray(0, end);
}
