/** An open regular file on Linux. */
import type { ExtendedAttribute, FileExtent, SourceFile } from "../ports/source-files.ts";
import { fileError } from "./entry-path.ts";
import { lastErrorName, libc, seekWhence } from "./libc.ts";
import { addressOf } from "./native-memory.ts";
import type { ReadingCalls } from "./reading-calls.ts";
import { decodeStatx } from "./stat-decoder.ts";

/** A read that a file system answers with EAGAIN although nothing can be waited for. */
const readAttempts = 10;

export class LinuxSourceFile implements SourceFile {
  readonly #libc = libc();
  readonly #calls: ReadingCalls;
  readonly #directoryPath: Uint8Array;
  readonly #name: Uint8Array;
  #descriptor: number;
  /** The answer of statx that described this file when it was opened, -1 once it is of no more use. */
  #openingAnswer: number;

  /** Takes over `descriptor`, which statx has just been asked about. */
  constructor(
    descriptor: number,
    calls: ReadingCalls,
    directoryPath: Uint8Array,
    name: Uint8Array,
  ) {
    this.#descriptor = descriptor;
    this.#calls = calls;
    this.#directoryPath = directoryPath;
    this.#name = name.slice();
    this.#openingAnswer = calls.entries.answers;
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    if (!(offset >= 0 && length >= 0 && offset + length <= buffer.length)) {
      throw new RangeError("read beyond the end of the buffer");
    }
    this.#openingAnswer = -1;
    const address = addressOf(buffer) + offset;
    let filled = 0;
    let attempts = 0;
    while (filled < length) {
      const read = this.#libc.pread(
        this.#descriptor,
        address + filled,
        length - filled,
        position + filled,
      );
      if (read > 0) {
        filled += read;
      } else if (read === 0) {
        break;
      } else {
        const code = lastErrorName();
        attempts++;
        if (!(code === "EINTR" || (code === "EAGAIN" && attempts < readAttempts))) {
          throw fileError(code, "pread", this.#directoryPath, this.#name);
        }
      }
    }
    return filled;
  }

  stat(record: Uint8Array, offset: number): void {
    const { entries } = this.#calls;
    if (this.#openingAnswer === entries.answers) {
      decodeStatx(entries.statx, record, offset);
    } else {
      entries.askDescriptor(this.#descriptor, this.#directoryPath, this.#name);
      decodeStatx(entries.statx, record, offset);
    }
    this.#openingAnswer = -1;
  }

  extendedAttributes(): ExtendedAttribute[] {
    return this.#calls.attributes.ofDescriptor(this.#descriptor, this.#directoryPath, this.#name);
  }

  extentAt(offset: number, end: number): FileExtent {
    const dataStart = this.#seek(offset, seekWhence.data);
    if (dataStart === undefined) {
      return { kind: "data", offset, length: end - offset };
    }
    if (dataStart > offset) {
      return { kind: "hole", offset, length: Math.min(dataStart, end) - offset };
    }
    const holeStart = this.#seek(offset, seekWhence.hole) ?? end;
    // A file cut short in between: what is left of the range is for `read` to find out.
    const dataEnd = holeStart > offset ? Math.min(holeStart, end) : end;
    return { kind: "data", offset, length: dataEnd - offset };
  }

  close(): void {
    if (this.#descriptor >= 0) {
      this.#libc.close(this.#descriptor);
      this.#descriptor = -1;
    }
  }

  /**
   * Where data or a hole begins at or after `offset`. Without any more data that is the end of the file; undefined if
   * `offset` lies beyond that, or the file system can't tell.
   */
  #seek(offset: number, whence: number): number | undefined {
    const found = Number(this.#libc.lseek(this.#descriptor, offset, whence));
    if (found >= 0) {
      return found;
    }
    const code = lastErrorName();
    if (code === "ENXIO") {
      const fileEnd = Number(this.#libc.lseek(this.#descriptor, 0, seekWhence.end));
      return fileEnd > offset ? fileEnd : undefined;
    }
    if (code === "EINVAL" || code === "ENOTSUP" || code === "ENOSYS" || code === "ENOTTY") {
      return undefined;
    }
    throw fileError(code, "lseek", this.#directoryPath, this.#name);
  }
}
