/** A log in a file that never takes more than a fixed part of its disk: full, it becomes the first of a few older ones. */
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import path from "node:path";

export interface RotationLimits {
  /** Of one file, bytes. */
  readonly sizeBytes: number;
  /** Full files that are kept beside the one that is written. */
  readonly files: number;
}

export class RotatingFile {
  readonly #file: string;
  readonly #limits: RotationLimits;
  #descriptor: number | undefined;
  #sizeBytes = 0;

  /** Nothing is opened or made before the first write. */
  constructor(file: string, limits: RotationLimits) {
    this.#file = file;
    this.#limits = limits;
  }

  /** Appends a line that ends with a line feed. Throws the system's error; a later line is tried again. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#sizeBytes > 0 && this.#sizeBytes + bytes.length > this.#limits.sizeBytes)
      this.#rotate();
    const descriptor = this.#open();
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
      this.#sizeBytes += bytes.length;
    } catch (error) {
      // The disk may be another one when it is there again.
      this.close();
      throw error;
    }
  }

  /** The end of what is written, whole lines only; at most so many bytes. Empty if there is none. */
  tail(bytesMax: number): string {
    let descriptor: number;
    try {
      descriptor = openSync(this.#file, "r");
    } catch {
      return "";
    }
    try {
      const { size } = fstatSync(descriptor);
      const bytes = Buffer.alloc(Math.min(size, bytesMax));
      const count = readSync(descriptor, bytes, 0, bytes.length, size - bytes.length);
      const text = bytes.toString("utf8", 0, count);
      const isWhole = bytes.length === size;
      return isWhole ? text : text.slice(text.indexOf("\n") + 1);
    } finally {
      closeSync(descriptor);
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    this.#sizeBytes = 0;
  }

  #open(): number {
    if (this.#descriptor !== undefined) return this.#descriptor;
    mkdirSync(path.dirname(this.#file), { recursive: true, mode: 0o700 });
    this.#descriptor = openSync(this.#file, "a", 0o600);
    this.#sizeBytes = fstatSync(this.#descriptor).size;
    return this.#descriptor;
  }

  #rotate(): void {
    this.close();
    const { files } = this.#limits;
    rmSync(this.#numbered(files), { force: true });
    for (let number = files; number > 0; number -= 1)
      renameIfThere(this.#numbered(number - 1), this.#numbered(number));
  }

  #numbered(number: number): string {
    return number === 0 ? this.#file : `${this.#file}.${number}`;
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
