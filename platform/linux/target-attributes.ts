/** Extended attributes of an open entry of any kind: by descriptor, or through /proc for symlinks and devices. */
import { FileError } from "../ports/source-files.ts";
import { lastErrorName, libc } from "./libc.ts";
import { addressOf, NativeMemory, PathMemory } from "./native-memory.ts";
import { targetCalls } from "./target-calls.ts";

/** The kernel's limit for lists and values. */
const answerBytesMax = 64 * 1024;

/** One per thread. */
export class TargetAttributes {
  readonly #libc = libc();
  readonly #calls = targetCalls();
  readonly #name = new PathMemory();
  readonly #path = new PathMemory();
  readonly #answer = new NativeMemory(answerBytesMax);

  /** Names; empty where the file system has no attributes. */
  list(handle: number): Uint8Array[] {
    const { address, bytes } = this.#answer;
    let length = this.#libc.flistxattr(handle, address, answerBytesMax);
    if (length < 0 && this.#isNameOnly())
      length = this.#calls.listxattr(this.#ownPath(handle), address, answerBytesMax);
    if (length < 0) {
      const code = lastErrorName();
      if (code === "ENOTSUP" || code === "EOPNOTSUPP") return [];
      throw new FileError(code, "listxattr", "");
    }
    const names: Uint8Array[] = [];
    for (let from = 0; from < length; ) {
      const end = bytes.indexOf(0, from);
      names.push(bytes.slice(from, end));
      from = end + 1;
    }
    return names;
  }

  get(handle: number, name: Uint8Array): Uint8Array {
    const { address, bytes } = this.#answer;
    const nameAddress = this.#name.write(name);
    let length = this.#libc.fgetxattr(handle, nameAddress, address, answerBytesMax);
    if (length < 0 && this.#isNameOnly())
      length = this.#calls.getxattr(this.#ownPath(handle), nameAddress, address, answerBytesMax);
    if (length < 0) throw failure("getxattr", name);
    return bytes.slice(0, length);
  }

  set(handle: number, name: Uint8Array, value: Uint8Array): void {
    const nameAddress = this.#name.write(name);
    const address = value.length === 0 ? this.#answer.address : addressOf(value);
    let result = this.#calls.fsetxattr(handle, nameAddress, address, value.length, 0);
    if (result < 0 && this.#isNameOnly())
      result = this.#calls.setxattr(this.#ownPath(handle), nameAddress, address, value.length, 0);
    if (result < 0) throw failure("setxattr", name);
  }

  remove(handle: number, name: Uint8Array): void {
    const nameAddress = this.#name.write(name);
    let result = this.#calls.fremovexattr(handle, nameAddress);
    if (result < 0 && this.#isNameOnly())
      result = this.#calls.removexattr(this.#ownPath(handle), nameAddress);
    if (result < 0) throw failure("removexattr", name);
  }

  /** True if the call that just failed did so because its descriptor only names the entry. */
  #isNameOnly(): boolean {
    return lastErrorName() === "EBADF";
  }

  #ownPath(handle: number): number {
    return this.#path.write(Buffer.from(`/proc/self/fd/${handle}`));
  }
}

function failure(call: string, name: Uint8Array): FileError {
  return new FileError(lastErrorName(), call, Buffer.from(name).toString());
}
