/** The suite that every adapter of the source ports passes; an adapter's test is one call to it. */
import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DirectoryListing, FileError, type SourceFiles } from "./source-files.ts";
import { modeType, statAt, statRecordBytes } from "./stat-record.ts";

let folder = "";

function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

function at(name: string): string {
  return join(folder, name);
}

function namesOf(listing: DirectoryListing): string[] {
  return Array.from({ length: listing.count }, (_, index) =>
    Buffer.from(
      listing.names.subarray(listing.offsets[index], listing.offsets[index + 1]),
    ).toString(),
  );
}

/** The error name of the FileError that `call` throws. */
function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(FileError);
    return (error as FileError).code;
  }
  return "no error";
}

/** Every field of a record but what Node can't confirm. */
function readRecord(record: Uint8Array, offset: number): Record<string, bigint> {
  const view = new DataView(record.buffer, record.byteOffset + offset, statRecordBytes);
  return {
    mode: BigInt(view.getUint32(statAt.mode, true)),
    uid: BigInt(view.getUint32(statAt.uid, true)),
    gid: BigInt(view.getUint32(statAt.gid, true)),
    links: BigInt(view.getUint32(statAt.links, true)),
    inode: view.getBigUint64(statAt.inode, true),
    size: view.getBigUint64(statAt.size, true),
    mtime:
      view.getBigInt64(statAt.mtime, true) * 1_000_000_000n +
      BigInt(view.getUint32(statAt.mtimeNs, true)),
    ctime:
      view.getBigInt64(statAt.ctime, true) * 1_000_000_000n +
      BigInt(view.getUint32(statAt.ctimeNs, true)),
    rdev: view.getBigUint64(statAt.rdev, true),
    device: view.getBigUint64(statAt.device, true),
    blocks: view.getBigUint64(statAt.blocks, true),
    padding: BigInt(view.getUint32(statAt.flags + 4, true)),
  };
}

/** The same as Node sees it. */
function seenByNode(path: string | Buffer): Record<string, bigint> {
  const stats = lstatSync(path, { bigint: true });
  const type = Number(stats.mode) & modeType.mask;
  const isDevice = type === modeType.blockDevice || type === modeType.charDevice;
  return {
    mode: stats.mode,
    uid: stats.uid,
    gid: stats.gid,
    links: stats.nlink,
    inode: stats.ino,
    size: stats.isFile() || stats.isSymbolicLink() ? stats.size : 0n,
    mtime: stats.mtimeNs,
    ctime: stats.ctimeNs,
    rdev: isDevice ? stats.rdev : 0n,
    device: stats.dev,
    blocks: stats.blocks,
    padding: 0n,
  };
}

function describeDirectories(files: SourceFiles): void {
  it("lists names in the order of their bytes, without the dots", () => {
    const names = ["b", "a", "B", "\u{1F600}", "\u{FF21}", ".hidden", "..also", "a b", "aa"];
    for (const name of names) {
      writeFileSync(at(name), "");
    }
    mkdirSync(at("folder"));
    const directory = files.openDirectory(bytes(folder));
    const listing = directory.list();
    directory.close();
    const sorted = [...names, "folder"].toSorted((left, right) =>
      Buffer.compare(Buffer.from(left), Buffer.from(right)),
    );
    expect(namesOf(listing)).toEqual(sorted);
    expect(listing.duplicates).toBe(0);
  });

  it("lists an empty directory", () => {
    const directory = files.openDirectory(bytes(folder));
    expect(directory.list()).toMatchObject({ count: 0, duplicates: 0 });
    directory.close();
  });

  it("lists a directory again as it is by then", () => {
    writeFileSync(at("first"), "");
    const directory = files.openDirectory(bytes(folder));
    const before = namesOf(directory.list());
    writeFileSync(at("second"), "");
    rmSync(at("first"));
    expect([before, namesOf(directory.list())]).toEqual([["first"], ["second"]]);
    directory.close();
  });

  it("opens directories below, and knows their paths", () => {
    mkdirSync(at("one/two"), { recursive: true });
    writeFileSync(at("one/two/file"), "");
    const top = files.openDirectory(bytes(folder));
    const one = top.openDirectory(bytes("one"));
    const two = one.openDirectory(bytes("two"));
    top.close();
    one.close();
    expect(Buffer.from(two.path).toString()).toBe(at("one/two"));
    expect(Buffer.from(two.token.path).toString()).toBe(at("one/two"));
    expect(namesOf(two.list())).toEqual(["file"]);
    two.close();
  });

  it("refuses what is no directory", () => {
    writeFileSync(at("file"), "");
    mkdirSync(at("real"));
    symlinkSync("real", at("link"), "dir");
    const directory = files.openDirectory(bytes(folder));
    expect(codeOf(() => directory.openDirectory(bytes("file")))).toBe("ENOTDIR");
    expect(codeOf(() => directory.openDirectory(bytes("absent")))).toBe("ENOENT");
    expect(codeOf(() => directory.openDirectory(bytes("link")))).toMatch(/^(ELOOP|ENOTDIR)$/);
    expect(codeOf(() => files.openDirectory(bytes(at("link"))))).toMatch(/^(ELOOP|ENOTDIR)$/);
    expect(codeOf(() => files.openDirectory(bytes(`${at("link")}/`)))).toMatch(/^(ELOOP|ENOTDIR)$/);
    expect(codeOf(() => files.openDirectory(bytes("")))).toBe("ENOENT");
    directory.close();
  });

  it("may be closed twice", () => {
    const directory = files.openDirectory(bytes(folder));
    directory.close();
    expect(() => directory.close()).not.toThrow();
  });
}

function describeStat(files: SourceFiles): void {
  it("writes records that say what lstat says", () => {
    writeFileSync(at("file"), "content");
    mkdirSync(at("folder"));
    symlinkSync("some/target", at("link"));
    const directory = files.openDirectory(bytes(folder));
    const records = new Uint8Array(4 * statRecordBytes + 1).fill(0xaa);
    for (const [index, name] of ["file", "folder", "link"].entries()) {
      directory.stat(bytes(name), records, 1 + index * statRecordBytes);
      const record = readRecord(records, 1 + index * statRecordBytes);
      expect(record).toEqual(seenByNode(at(name)));
    }
    directory.stat(undefined, records, 1 + 3 * statRecordBytes);
    expect(readRecord(records, 1 + 3 * statRecordBytes)).toEqual(seenByNode(folder));
    expect(records[0]).toBe(0xaa);
    directory.close();
  });

  it.each([
    ["before 1970", -12_345_678.5],
    ["at a second before 1970", -1],
    ["after 2038", 4_102_444_800.25],
  ])("keeps a time %s", (_, seconds) => {
    writeFileSync(at("file"), "");
    // Node takes a negative number of seconds for now, but not such a date.
    const time = new Date(seconds * 1000);
    utimesSync(at("file"), time, time);
    const record = new Uint8Array(statRecordBytes);
    files.stat(bytes(at("file")), record, 0);
    expect(readRecord(record, 0)["mtime"]).toBe(BigInt(seconds * 1000) * 1_000_000n);
  });

  it("describes a path, and never what a symlink leads to", () => {
    mkdirSync(at("folder"));
    symlinkSync("folder", at("link"), "dir");
    const record = new Uint8Array(statRecordBytes);
    for (const path of ["link", "link/", "link//", "folder", "folder/"]) {
      files.stat(bytes(`${folder}/${path}`), record, 0);
      expect(readRecord(record, 0)).toEqual(seenByNode(at(path.replaceAll("/", ""))));
    }
  });

  it("fails for what is not there", () => {
    const directory = files.openDirectory(bytes(folder));
    const record = new Uint8Array(statRecordBytes);
    expect(codeOf(() => directory.stat(bytes("absent"), record, 0))).toBe("ENOENT");
    expect(codeOf(() => files.stat(bytes(at("absent")), record, 0))).toBe("ENOENT");
    directory.close();
  });

  it("refuses a name with a zero byte instead of cutting it", () => {
    writeFileSync(at("file"), "");
    const directory = files.openDirectory(bytes(folder));
    const record = new Uint8Array(statRecordBytes);
    expect(codeOf(() => directory.stat(bytes("file\0x"), record, 0))).toBe("EINVAL");
    expect(codeOf(() => files.openFile(directory.token, bytes("file\0x")))).toBe("EINVAL");
    directory.close();
  });

  it("names the path and the error in what it throws", () => {
    const directory = files.openDirectory(bytes(folder));
    const call = (): void => directory.stat(bytes("absent"), new Uint8Array(statRecordBytes), 0);
    expect(call).toThrow(/absent: ENOENT$/);
    directory.close();
  });
}

function describeFiles(files: SourceFiles): void {
  it("reads any part of a file into any part of a buffer", () => {
    const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 31) % 251));
    writeFileSync(at("file"), content);
    const directory = files.openDirectory(bytes(folder));
    const file = files.openFile(directory.token, bytes("file"));
    const shared = new Uint8Array(new SharedArrayBuffer(1000)).fill(7);
    expect(file.read(shared, 10, 100, 99_000)).toBe(100);
    expect(Buffer.from(shared.subarray(10, 110))).toEqual(content.subarray(99_000, 99_100));
    expect([shared[9], shared[110]]).toEqual([7, 7]);
    const part = new Uint8Array(new ArrayBuffer(300_000), 50, 200_000);
    expect(file.read(part, 5, 150_000, 0)).toBe(100_000);
    expect(content.equals(part.subarray(5, 100_005))).toBe(true);
    expect(file.read(part, 0, 10, 99_995)).toBe(5);
    expect(file.read(part, 0, 10, 100_000)).toBe(0);
    expect(file.read(part, 0, 10, 2 ** 40)).toBe(0);
    expect(file.read(part, 0, 0, 0)).toBe(0);
    file.close();
    directory.close();
  });

  it("never writes outside the buffer", () => {
    writeFileSync(at("file"), "content");
    const directory = files.openDirectory(bytes(folder));
    const file = files.openFile(directory.token, bytes("file"));
    const buffer = new Uint8Array(10);
    const moved = new Uint8Array(new ArrayBuffer(10));
    structuredClone(moved.buffer, { transfer: [moved.buffer] });
    for (const [offset, length] of [
      [8, 3],
      [-1, 2],
      [0, -1],
      [Number.NaN, 1],
      [0, Number.POSITIVE_INFINITY],
    ] as const) {
      expect(() => file.read(buffer, offset, length, 0)).toThrow(RangeError);
    }
    expect(() => file.read(moved, 0, 7, 0)).toThrow(RangeError);
    file.close();
    directory.close();
  });

  it("describes the file as it was when it was opened, and later as it is", () => {
    writeFileSync(at("file"), "content");
    const directory = files.openDirectory(bytes(folder));
    const file = files.openFile(directory.token, bytes("file"));
    const record = new Uint8Array(statRecordBytes);
    file.stat(record, 0);
    expect(readRecord(record, 0)).toEqual(seenByNode(at("file")));
    appendFileSync(at("file"), "more");
    file.stat(record, 0);
    expect(readRecord(record, 0)["size"]).toBe(11n);
    truncateSync(at("file"), 3);
    file.read(new Uint8Array(1), 0, 1, 0);
    file.stat(record, 0);
    expect(readRecord(record, 0)).toEqual(seenByNode(at("file")));
    file.close();
    directory.close();
  });

  it("describes each of several open files after one was read", () => {
    writeFileSync(at("one"), "1");
    writeFileSync(at("two"), "22");
    const directory = files.openDirectory(bytes(folder));
    const one = files.openFile(directory.token, bytes("one"));
    const two = files.openFile(directory.token, bytes("two"));
    const record = new Uint8Array(statRecordBytes);
    one.stat(record, 0);
    expect(readRecord(record, 0)["size"]).toBe(1n);
    two.stat(record, 0);
    expect(readRecord(record, 0)["size"]).toBe(2n);
    appendFileSync(at("one"), "1");
    one.read(new Uint8Array(1), 0, 1, 0);
    one.stat(record, 0);
    expect(readRecord(record, 0)["size"]).toBe(2n);
    one.close();
    two.close();
    directory.close();
  });

  it("goes on reading a file that was renamed or removed", () => {
    writeFileSync(at("file"), "content");
    const directory = files.openDirectory(bytes(folder));
    const file = files.openFile(directory.token, bytes("file"));
    renameSync(at("file"), at("other"));
    const buffer = Buffer.alloc(7);
    file.read(buffer, 0, 7, 0);
    expect(buffer.toString()).toBe("content");
    file.close();
    directory.close();
  });

  it("opens nothing but regular files", () => {
    mkdirSync(at("folder"));
    writeFileSync(at("file"), "");
    symlinkSync("file", at("link"));
    const directory = files.openDirectory(bytes(folder));
    const codes = ["folder", "link", "absent"].map((name) =>
      codeOf(() => files.openFile(directory.token, bytes(name))),
    );
    expect(codes).toEqual(["EINVAL", "ELOOP", "ENOENT"]);
    directory.close();
  });

  it.skipIf(process.platform === "win32")("refuses a socket", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(at("socket"), resolve));
    const directory = files.openDirectory(bytes(folder));
    expect(codeOf(() => files.openFile(directory.token, bytes("socket")))).toMatch(
      /^(EINVAL|ENXIO|EOPNOTSUPP)$/,
    );
    directory.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it("divides a file into extents without a gap", () => {
    writeFileSync(at("file"), Buffer.alloc(200_000, 1));
    truncateSync(at("file"), 3_000_000);
    const directory = files.openDirectory(bytes(folder));
    const file = files.openFile(directory.token, bytes("file"));
    let position = 0;
    while (position < 3_000_000) {
      const extent = file.extentAt(position, 3_000_000);
      expect(extent.offset).toBe(position);
      expect(extent.length).toBeGreaterThan(0);
      // No part of what was written may be called a hole.
      expect(extent.kind === "hole" && position < 200_000).toBe(false);
      position += extent.length;
    }
    expect(position).toBe(3_000_000);
    file.close();
    directory.close();
  });
}

function describeLinksAndAccounts(files: SourceFiles): void {
  it("reads the target of a symlink", () => {
    symlinkSync("no/such/ü", at("link"));
    writeFileSync(at("file"), "");
    const directory = files.openDirectory(bytes(folder));
    expect(Buffer.from(directory.readLink(bytes("link"))).toString()).toBe("no/such/ü");
    expect(Buffer.from(files.readLink(bytes(at("link")))).toString()).toBe("no/such/ü");
    expect(codeOf(() => directory.readLink(bytes("file")))).toBe("EINVAL");
    directory.close();
  });

  it("finds no extended attributes where none were set", () => {
    writeFileSync(at("file"), "");
    const directory = files.openDirectory(bytes(folder));
    const file = files.openFile(directory.token, bytes("file"));
    const names = [
      directory.extendedAttributes(undefined),
      directory.extendedAttributes(bytes("file")),
      files.extendedAttributes(bytes(at("file"))),
      file.extendedAttributes(),
    ].flatMap((attributes) => attributes.map(({ name }) => Buffer.from(name).toString()));
    // Security modules label every file.
    expect(names.filter((name) => !name.startsWith("security."))).toEqual([]);
    file.close();
    directory.close();
  });

  it("says how many files may be read at once", () => {
    expect(files.medium(bytes(folder)).readers).toBeGreaterThanOrEqual(1);
    expect(codeOf(() => files.medium(bytes(at("absent"))))).toBe("ENOENT");
  });

  it("names the user that runs it, and nobody for an unknown id", () => {
    const { uid, username } = userInfo();
    expect(files.userName(uid)).toBe(uid < 0 ? "" : username);
    expect(files.userName(4_000_000_000)).toBe("");
    expect(files.groupName(4_000_000_000)).toBe("");
  });
}

/** Runs the contract against `open`, which makes an adapter of the system that the tests run on. */
export function describeSourceFiles(title: string, open: () => SourceFiles): void {
  describe(`${title} as source files`, () => {
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), "source-files-"));
    });
    afterEach(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    const files = open();
    describe("directories", () => describeDirectories(files));
    describe("records", () => describeStat(files));
    describe("files", () => describeFiles(files));
    describe("links, attributes and accounts", () => describeLinksAndAccounts(files));
  });
}
