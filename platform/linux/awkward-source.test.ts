import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DirectoryListing, FileError, type SourceDirectory } from "../ports/source-files.ts";
import { modeType, statAt, statFlags, statRecordBytes } from "../ports/stat-record.ts";
import { AwkwardEntries, isRoot } from "./awkward-entries.ts";
import { LinuxSourceFiles } from "./linux-source-files.ts";

const files = new LinuxSourceFiles();
const entries = new AwkwardEntries();
const record = new Uint8Array(statRecordBytes);
const view = new DataView(record.buffer);

let folder = "";
let directory: SourceDirectory;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "awkward-source-"));
  directory = files.openDirectory(Buffer.from(folder));
});
afterEach(() => {
  directory.close();
  rmSync(folder, { recursive: true, force: true });
});

function at(name: string): string {
  return join(folder, name);
}

function bytePath(name: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), name]);
}

function nameAt(listing: DirectoryListing, index: number): Uint8Array {
  return listing.names.subarray(listing.offsets[index], listing.offsets[index + 1]);
}

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return error instanceof FileError ? error.code : String(error);
  }
  return "no error";
}

function typeOf(name: string): number {
  directory.stat(Buffer.from(name), record, 0);
  return view.getUint32(statAt.mode, true) & modeType.mask;
}

function asText(attributes: readonly { name: Uint8Array; value: Uint8Array }[]): string[] {
  return attributes
    .map(
      ({ name, value }) =>
        `${Buffer.from(name).toString("latin1")}=${Buffer.from(value).toString("hex")}`,
    )
    .filter((text) => !text.startsWith("security.selinux"))
    .toSorted();
}

describe.runIf(process.platform === "linux")("names on Linux", () => {
  it("keeps every byte that a name can hold, in every call", () => {
    const names: Buffer[] = [];
    for (let byte = 1; byte < 256; byte++) {
      if (byte !== 0x2f && byte !== 0x2e) {
        names.push(Buffer.of(byte), Buffer.of(0x61, byte, 0xff));
      }
    }
    names.push(Buffer.alloc(255, 0xfe), Buffer.from("...", "latin1"));
    for (const name of names) {
      writeFileSync(bytePath(name), name);
    }
    const listing = directory.list();
    const buffer = Buffer.alloc(300);
    const listed: string[] = [];
    for (let index = 0; index < listing.count; index++) {
      const name = nameAt(listing, index);
      directory.stat(name, record, 0);
      expect(view.getUint32(statAt.size, true)).toBe(name.length);
      const file = files.openFile(directory.token, name);
      const length = file.read(buffer, 0, 300, 0);
      file.close();
      expect(buffer.subarray(0, length).equals(name)).toBe(true);
      listed.push(Buffer.from(name).toString("hex"));
    }
    const expected = names.toSorted(Buffer.compare).map((name) => name.toString("hex"));
    expect(listed).toEqual(expected);
  });

  it("keeps link targets that are not UTF-8", () => {
    const target = Buffer.from("caf\xe9/\xff\n", "latin1");
    symlinkSync(target, at("link"));
    expect(Buffer.from(directory.readLink(Buffer.from("link"))).equals(target)).toBe(true);
  });

  it("walks deeper than any path may be long", () => {
    const name = Buffer.alloc(255, "d");
    const opened: SourceDirectory[] = [];
    let parent = directory;
    for (let level = 0; level < 40; level++) {
      entries.makeDirectory(parent.token.descriptor, name);
      parent = parent.openDirectory(name);
      opened.push(parent);
    }
    writeFileSync(`/proc/self/fd/${parent.token.descriptor}/leaf`, "x\n");
    expect(parent.path.length).toBeGreaterThan(10_000);
    const listing = parent.list();
    expect(Buffer.from(nameAt(listing, 0)).toString()).toBe("leaf");
    const file = files.openFile(parent.token, Buffer.from("leaf"));
    expect(file.read(new Uint8Array(8), 0, 8, 0)).toBe(2);
    expect(parent.extendedAttributes(Buffer.from("leaf"))).toEqual([]);
    file.close();
    for (const each of opened) {
      each.close();
    }
    execFileSync("rm", ["-rf", folder]);
  });

  it("lists 100,000 entries of one folder", () => {
    const count = 100_000;
    const wide = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "wide-source-"));
    for (let index = 0; index < count; index++) {
      entries.makeNode(`${wide}/entry-${(index * 7919) % count}`, modeType.file | 0o600, 0);
    }
    const opened = files.openDirectory(Buffer.from(wide));
    const listing = opened.list();
    opened.close();
    execFileSync("rm", ["-rf", wide]);
    expect([listing.count, listing.duplicates]).toEqual([count, 0]);
    const sorted = Array.from({ length: count }, (_, index) => `entry-${index}`).toSorted();
    const listed = Array.from({ length: count }, (_, index) =>
      Buffer.from(nameAt(listing, index)).toString(),
    );
    expect(listed.join("/") === sorted.join("/")).toBe(true);
  });
});

describe.runIf(process.platform === "linux")("entries that are no files on Linux", () => {
  it("describes fifos, and refuses to open them at once", () => {
    entries.makeNode(at("fifo"), modeType.fifo | 0o644, 0);
    expect(typeOf("fifo")).toBe(modeType.fifo);
    expect(codeOf(() => files.openFile(directory.token, Buffer.from("fifo")))).toBe("EINVAL");
  });

  it.runIf(isRoot)("describes device nodes by the number that lstat gives", () => {
    // Numbers beyond 8 bits of major and minor, as the kernel and the C library encode them.
    for (const [name, type, device] of [
      ["small", modeType.charDevice, 0x0103],
      ["block", modeType.blockDevice, 0x0801],
      ["large", modeType.charDevice, 0xfffa_bc12],
    ] as const) {
      entries.makeNode(at(name), type | 0o600, device);
      expect(typeOf(name)).toBe(type);
      expect(view.getBigUint64(statAt.rdev, true)).toBe(lstatSync(at(name), { bigint: true }).rdev);
      expect(view.getBigUint64(statAt.size, true)).toBe(0n);
      expect(codeOf(() => files.openFile(directory.token, Buffer.from(name)))).toMatch(
        /^(EINVAL|EACCES|ENODEV)$/,
      );
    }
  });

  it("describes special entries of the running system as lstat does", () => {
    for (const path of ["/dev/null", "/dev/tty", "/proc/self/exe", "/"]) {
      files.stat(Buffer.from(path), record, 0);
      const stats = lstatSync(path, { bigint: true });
      expect(view.getBigUint64(statAt.device, true)).toBe(stats.dev);
      expect(view.getBigUint64(statAt.inode, true)).toBe(stats.ino);
      expect(view.getUint32(statAt.mode, true)).toBe(Number(stats.mode));
    }
  });
});

describe.runIf(process.platform === "linux")("times and flags on Linux", () => {
  it.each([
    ["1901", -2_147_483_000, 1],
    ["a nanosecond before 1970", -1, 999_999_999],
    ["1970", 0, 0],
    ["2038", 2_147_483_648, 123_456_789],
    ["2200", 7_258_118_400, 999_999_999],
  ])("keeps the exact time of %s", (_, seconds, nanoseconds) => {
    writeFileSync(at("file"), "");
    symlinkSync("file", at("link"));
    for (const name of ["file", "link"]) {
      entries.setTime(at(name), { seconds, nanoseconds });
      directory.stat(Buffer.from(name), record, 0);
      expect(view.getBigInt64(statAt.mtime, true)).toBe(BigInt(seconds));
      expect(view.getUint32(statAt.mtimeNs, true)).toBe(nanoseconds);
    }
  });

  it("leaves access times alone", (context) => {
    const old = { seconds: 1_000_000_000, nanoseconds: 5 };
    const oldTime = 1_000_000_000_000_000_005n;
    writeFileSync(at("careless"), "content");
    entries.setTime(at("careless"), old);
    readFileSync(at("careless"));
    const isKept = statSync(at("careless"), { bigint: true }).atimeNs === oldTime;
    context.skip(isKept, "the temporary folder is mounted so that reading changes no access times");
    writeFileSync(at("file"), "content");
    mkdirSync(at("folder"));
    writeFileSync(at("folder/file"), "content");
    entries.setTime(at("file"), old);
    entries.setTime(at("folder"), old);
    const file = files.openFile(directory.token, Buffer.from("file"));
    file.read(new Uint8Array(10), 0, 10, 0);
    file.close();
    const below = directory.openDirectory(Buffer.from("folder"));
    below.list();
    below.close();
    for (const name of ["file", "folder"]) {
      expect(statSync(at(name), { bigint: true }).atimeNs).toBe(oldTime);
    }
  });

  it.runIf(isRoot)("reads files of others, for whom access times can't be left alone", () => {
    writeFileSync(at("file"), "content", { mode: 0o644 });
    mkdirSync(at("folder"), { mode: 0o755 });
    chmodSync(folder, 0o755);
    process.seteuid?.(65_534);
    try {
      const file = files.openFile(directory.token, Buffer.from("file"));
      expect(file.read(new Uint8Array(10), 0, 10, 0)).toBe(7);
      file.close();
      directory.openDirectory(Buffer.from("folder")).close();
    } finally {
      process.seteuid?.(0);
    }
  });

  it("tells the flag that asks dump programs to stay away", (context) => {
    const descriptor = openSync(at("file"), "w");
    const noDumpFlag = 0x40;
    const isSet = entries.setFlags(descriptor, noDumpFlag);
    closeSync(descriptor);
    context.skip(!isSet, "the file system of the temporary folder has no inode flags");
    directory.stat(Buffer.from("file"), record, 0);
    expect(view.getUint32(statAt.flags, true)).toBe(statFlags.noDump);
  });
});

describe.runIf(process.platform === "linux")("extended attributes on Linux", () => {
  it("reads names and values of any bytes, of files and folders", (context) => {
    writeFileSync(at("file"), "");
    mkdirSync(at("folder"));
    const oddName = Buffer.from("user.\xff\xe9 =\n", "latin1");
    const large = Buffer.alloc(3000, 0xab);
    for (const name of ["file", "folder"]) {
      const isSet =
        entries.setAttribute(at(name), "user.empty", new Uint8Array(0)) &&
        entries.setAttribute(at(name), oddName, Buffer.of(0, 1, 0xff)) &&
        entries.setAttribute(at(name), "user.large", large);
      context.skip(!isSet, "the file system of the temporary folder has no attributes");
    }
    const expected = [
      "user.empty=",
      `user.large=${large.toString("hex")}`,
      `${oddName.toString("latin1")}=0001ff`,
    ].toSorted();
    const file = files.openFile(directory.token, Buffer.from("file"));
    const below = directory.openDirectory(Buffer.from("folder"));
    expect(asText(file.extendedAttributes())).toEqual(expected);
    expect(asText(below.extendedAttributes(undefined))).toEqual(expected);
    expect(asText(directory.extendedAttributes(Buffer.from("file")))).toEqual(expected);
    expect(asText(directory.extendedAttributes(Buffer.from("folder")))).toEqual(expected);
    expect(asText(files.extendedAttributes(Buffer.from(at("folder"))))).toEqual(expected);
    file.close();
    below.close();
  });

  it("reads a list longer than the first guess", (context) => {
    writeFileSync(at("file"), "");
    const names = Array.from({ length: 12 }, (_, index) => `user.${index}${"n".repeat(200)}`);
    for (const name of names) {
      const isSet = entries.setAttribute(at("file"), name, Buffer.of(1));
      context.skip(!isSet, "the file system of the temporary folder has no attributes");
    }
    expect(asText(directory.extendedAttributes(Buffer.from("file")))).toEqual(
      names.map((name) => `${name}=01`).toSorted(),
    );
  });

  it("reads access control lists as the kernel keeps them", (context) => {
    writeFileSync(at("file"), "");
    // Version 2; owner rw, user 1000 r, group r, mask r, others nothing.
    const list = Buffer.from(
      "0200000001000600ffffffff02000400e803000004000400ffffffff10000400ffffffff20000000ffffffff",
      "hex",
    );
    const isSet = entries.setAttribute(at("file"), "system.posix_acl_access", list);
    context.skip(!isSet, "the file system of the temporary folder has no access control lists");
    expect(asText(directory.extendedAttributes(Buffer.from("file")))).toEqual([
      `system.posix_acl_access=${list.toString("hex")}`,
    ]);
  });

  it.runIf(isRoot)("reads those of symlinks and fifos themselves", (context) => {
    writeFileSync(at("file"), "");
    symlinkSync("file", at("link"));
    symlinkSync("nowhere", at("broken"));
    entries.makeNode(at("fifo"), modeType.fifo | 0o600, 0);
    for (const name of ["link", "broken", "fifo"]) {
      const isSet = entries.setAttribute(at(name), "trusted.note", Buffer.from(name));
      context.skip(!isSet, "the file system of the temporary folder has no attributes");
    }
    for (const name of ["link", "broken", "fifo"]) {
      const expected = [`trusted.note=${Buffer.from(name).toString("hex")}`];
      expect(asText(directory.extendedAttributes(Buffer.from(name)))).toEqual(expected);
      expect(asText(files.extendedAttributes(Buffer.from(at(name))))).toEqual(expected);
    }
    expect(directory.extendedAttributes(Buffer.from("file"))).toEqual([]);
  });
});
