/** Extended attributes of an entry by its path, read for comparisons by the plain calls of the system. */
import { lastErrorName, libc } from "../../platform/linux/libc.ts";
import { NativeMemory, PathMemory } from "../../platform/linux/native-memory.ts";
import { systemName } from "../../platform/system-name.ts";

const answerBytesMax = 64 * 1024;

/** One per comparison. Systems other than Linux are read as if no entry had any. */
export class EntryAttributes {
  readonly #isLinux = systemName().system === "linux";
  readonly #path = new PathMemory();
  readonly #name = new PathMemory();
  readonly #names = new NativeMemory(answerBytesMax);
  readonly #value = new NativeMemory(answerBytesMax);

  /** Values in base64 by name, sorted by name; a symlink's own. Names have a character for each byte. */
  of(path: Uint8Array): Map<string, string> {
    const found = new Map<string, string>();
    if (!this.#isLinux) return found;
    const pathAddress = this.#path.write(path);
    const length = libc().llistxattr(pathAddress, this.#names.address, answerBytesMax);
    if (length < 0 && lastErrorName() !== "ENOTSUP")
      throw new Error(`llistxattr ${Buffer.from(path).toString()}: ${lastErrorName()}`);
    if (length <= 0) return found;
    const list = Buffer.from(this.#names.bytes.subarray(0, length - 1)).toString("latin1");
    for (const name of list.split("\0").sort()) found.set(name, this.#read(pathAddress, name));
    return found;
  }

  #read(pathAddress: number, name: string): string {
    const nameAddress = this.#name.write(Buffer.from(name, "latin1"));
    const { address, bytes } = this.#value;
    const length = libc().lgetxattr(pathAddress, nameAddress, address, answerBytesMax);
    if (length < 0) return `(${lastErrorName()})`;
    return Buffer.from(bytes.subarray(0, length)).toString("base64");
  }
}
