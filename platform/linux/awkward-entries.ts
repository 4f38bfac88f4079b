/** Makes the entries that Node can't make, for tests: names in raw bytes, nodes, attributes, exact times. */
import { declareCall, lastErrorName } from "./libc.ts";
import { NativeMemory } from "./native-memory.ts";

const currentDirectory = -100;
const noFollow = 0x100;
const page = 4096;
const memoryBytes = 32 * page;

export interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Each call throws an Error with the system's error name; paths are strings or raw bytes. */
export class AwkwardEntries {
  readonly #memory = new NativeMemory(memoryBytes);
  readonly #mknodat = declareCall("mknodat", "int", ["int", "int64", "uint", "int64"]);
  readonly #mkdirat = declareCall("mkdirat", "int", ["int", "int64", "uint"]);
  readonly #utimensat = declareCall("utimensat", "int", ["int", "int64", "int64", "int"]);
  readonly #lsetxattr = declareCall("lsetxattr", "int", [
    "int64",
    "int64",
    "int64",
    "int64",
    "int",
  ]);
  readonly #ioctl = declareCall("ioctl", "int", ["int", "int64", "int64"]);

  makeDirectory(parentDescriptor: number, name: Uint8Array): void {
    this.#check("mkdirat", this.#mkdirat(parentDescriptor, this.#put(0, name), 0o700));
  }

  /** Makes an empty file, a fifo, or a device node with the number `device` as the C library encodes it. `mode` has the type. */
  makeNode(path: string | Uint8Array, mode: number, device: number): void {
    this.#check("mknodat", this.#mknodat(currentDirectory, this.#put(0, path), mode, device));
  }

  /** Sets the modification time (and the access time) of the entry itself, never of what it leads to. */
  setTime(path: string | Uint8Array, modified: Time, accessed: Time = modified): void {
    const times = new DataView(this.#memory.bytes.buffer, page, 32);
    times.setBigInt64(0, BigInt(accessed.seconds), true);
    times.setBigInt64(8, BigInt(accessed.nanoseconds), true);
    times.setBigInt64(16, BigInt(modified.seconds), true);
    times.setBigInt64(24, BigInt(modified.nanoseconds), true);
    const address = this.#memory.address + page;
    const result = this.#utimensat(currentDirectory, this.#put(0, path), address, noFollow);
    this.#check("utimensat", result);
  }

  /** False if the file system, or this user, can't have such an attribute there. */
  setAttribute(path: string | Uint8Array, name: string | Uint8Array, value: Uint8Array): boolean {
    const pathAddress = this.#put(0, path);
    const nameAddress = this.#put(page, name);
    const valueAddress = this.#put(2 * page, value);
    if (this.#lsetxattr(pathAddress, nameAddress, valueAddress, value.length, 0) === 0) {
      return true;
    }
    const code = lastErrorName();
    if (code === "ENOTSUP" || code === "EPERM") {
      return false;
    }
    throw new Error(`lsetxattr: ${code}`);
  }

  /** Sets the inode flags of an open file (FS_IOC_SETFLAGS); false if the file system has none. */
  setFlags(descriptor: number, flags: number): boolean {
    this.#memory.words[0] = flags;
    this.#memory.words[1] = 0;
    const setFlagsRequest = 0x40086602;
    return this.#ioctl(descriptor, setFlagsRequest, this.#memory.address) === 0;
  }

  #put(at: number, value: string | Uint8Array): number {
    const bytes = typeof value === "string" ? Buffer.from(value) : value;
    this.#memory.bytes.set(bytes, at);
    this.#memory.bytes[at + bytes.length] = 0;
    return this.#memory.address + at;
  }

  #check(call: string, result: number): void {
    if (result < 0) {
      throw new Error(`${call}: ${lastErrorName()}`);
    }
  }
}

/** Whether this user may make device nodes and attributes of the trusted kind. */
export const isRoot = process.geteuid?.() === 0;
