/** Names of users and groups: the system's files first, then whatever its name service knows. */
import { readAccountFile } from "../node/account-file.ts";
import { libc } from "./libc.ts";
import { NativeMemory } from "./native-memory.ts";

const answerBytes = 128;
const firstStringsBytes = 16 * 1024;
/** Groups with very many members need much room. */
const largestStringsBytes = 4 * 1024 * 1024;
const outOfRange = 34;

/** Where the answer of a lookup begins: the pointer to the name is the first field of both structs. */
const resultAt = answerBytes - 8;

type LookUp = (
  id: number,
  address: number,
  stringsAddress: number,
  stringsLength: number,
  resultAddress: number,
) => number;

/** One per thread. */
export class AccountNames {
  readonly #users: NameTable;
  readonly #groups: NameTable;

  /** The files are those of the system unless a test brings its own. */
  constructor(passwdPath: string = "/etc/passwd", groupPath: string = "/etc/group") {
    this.#users = new NameTable(passwdPath, (...values) => libc().getpwuid_r(...values));
    this.#groups = new NameTable(groupPath, (...values) => libc().getgrgid_r(...values));
  }

  /** Empty if the system knows no such user. */
  userName(uid: number): string {
    return this.#users.name(uid);
  }

  /** Empty if the system knows no such group. */
  groupName(gid: number): string {
    return this.#groups.name(gid);
  }
}

class NameTable {
  readonly #path: string;
  readonly #lookUp: LookUp;
  #names: Map<number, string> | undefined;

  constructor(path: string, lookUp: LookUp) {
    this.#path = path;
    this.#lookUp = lookUp;
  }

  name(id: number): string {
    this.#names ??= readAccountFile(this.#path);
    let name = this.#names.get(id);
    if (name === undefined) {
      name = askNameService(this.#lookUp, id);
      this.#names.set(id, name);
    }
    return name;
  }
}

function askNameService(lookUp: LookUp, id: number): string {
  const answer = new NativeMemory(answerBytes);
  const resultWord = resultAt / 4;
  for (let size = firstStringsBytes; size <= largestStringsBytes; size *= 4) {
    const strings = new NativeMemory(size);
    const failed = lookUp(id, answer.address, strings.address, size, answer.address + resultAt);
    if (failed === outOfRange) {
      continue;
    }
    if (failed !== 0 || (answer.words[resultWord] === 0 && answer.words[resultWord + 1] === 0)) {
      return "";
    }
    const pointer = answer.words[0] + answer.words[1] * 0x100000000;
    const start = pointer - strings.address;
    if (start < 0 || start >= size) {
      return "";
    }
    const end = strings.bytes.indexOf(0, start);
    return Buffer.from(strings.bytes.subarray(start, end)).toString();
  }
  return "";
}
