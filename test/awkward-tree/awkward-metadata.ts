/** Permissions, owners, times, attributes and access lists that are easy to lose. */
import { Buffer } from "node:buffer";
import { chmodSync, lchownSync } from "node:fs";
import { isRoot } from "../../platform/linux/awkward-entries.ts";
import { scrambled, type TreeBuilder } from "./tree-builder.ts";

const oddModes: readonly number[] = [
  0,
  0o7777,
  0o777,
  0o644,
  0o1644,
  0o2644,
  0o2755,
  0o4755,
  0o6711,
  0o1777,
  0o111,
  0o222,
  0o7000,
  ...Array.from({ length: 12 }, (_, bit) => 1 << bit),
];

const owners: readonly (readonly [uid: number, gid: number])[] = [
  [1, 0],
  [0, 1],
  [65_534, 65_534],
  [65_536, 100_000],
  [2_147_483_647, 2_147_483_648],
  [4_294_967_294, 4_294_967_294],
];

/** The first and the last second that ext4 holds, and what lies between. Nanoseconds are kept for all. */
const times: readonly (readonly [seconds: number, nanoseconds: number])[] = [
  [-2_147_483_648, 0],
  [-2_147_483_648, 999_999_999],
  [-1_000_000_001, 500_000_000],
  [-1, 0],
  [-1, 999_999_999],
  [0, 0],
  [0, 1],
  [1, 100_000_000],
  [951_782_400, 120_000],
  [1_234_567_890, 123_456_789],
  [1_719_792_000, 10],
  [2_147_483_647, 999_999_999],
  [2_147_483_648, 0],
  [4_294_967_296, 1],
  [9_000_000_000, 999_999_999],
];
/** After 2262, where 64 bits of nanoseconds end; some programs can't restore it. */
const farTime = [15_032_385_535, 999_999_999] as const;

/** Makes the folders `modes`, `owners` and `times`. */
export function addModesOwnersAndTimes(builder: TreeBuilder): void {
  for (const top of ["modes", "owners", "times"]) builder.folder(top);
  for (const mode of new Set(oddModes)) {
    if (!isRoot && (mode & 0o500) !== 0o500) continue;
    const name = mode.toString(8).padStart(4, "0");
    const file = builder.file(["modes", `file ${name}`], name);
    chmodSync(file, mode);
    const folder = builder.folder("modes", `folder ${name}`);
    builder.file(["modes", `folder ${name}`, "inside"], name);
    builder.atEnd(() => chmodSync(folder, mode));
  }
  if (isRoot) addOwners(builder);
  else builder.leftOut.push("modes that shut out their owner, and other owners: needs root");
  for (const [seconds, nanoseconds] of times) addTime(builder, "", seconds, nanoseconds);
  addTime(builder, "far ", ...farTime);
}

function addOwners(builder: TreeBuilder): void {
  for (const [uid, gid] of owners) {
    const name = `${uid}:${gid}`;
    const file = builder.file(["owners", `file ${name}`], name);
    lchownSync(file, uid, gid);
    // A change of owner takes the setuid bit away, so the order of a restore matters.
    chmodSync(file, 0o6755);
    const folder = builder.folder("owners", `folder ${name}`);
    builder.file(["owners", `folder ${name}`, "inside"], name);
    builder.atEnd(() => {
      lchownSync(folder, uid, gid);
      chmodSync(folder, 0o2770);
    });
  }
}

function addTime(builder: TreeBuilder, prefix: string, seconds: number, nanoseconds: number): void {
  const name = `${prefix}${seconds}.${nanoseconds}`;
  const file = builder.file(["times", `file ${name}`], name);
  builder.entries.setTime(file, { seconds, nanoseconds });
  const folder = builder.folder("times", `folder ${name}`);
  builder.file(["times", `folder ${name}`, "inside"], name);
  builder.atEnd(() => builder.entries.setTime(folder, { seconds, nanoseconds }));
}

const attributeNames: readonly string[] = [
  "user.a",
  'user.with blank, "quote" and \\',
  "user.line\nfeed",
  "user.é\u{1f600}<&>",
  `user.${"n".repeat(250)}`,
];
/** Makes the folder `attributes`: extended attributes, one with a value of so many bytes, access lists and capabilities. */
export function addAttributes(builder: TreeBuilder, largeBytes: number): void {
  builder.folder("attributes");
  const file = (name: string): Buffer => builder.file(["attributes", name], name);
  const without = "attributes of files: this file system has none";
  if (!builder.tryAttribute(file("probe"), "user.probe", Buffer.from("x"))) {
    builder.leftOut.push(without);
    return;
  }
  builder.attribute(file("empty"), "user.empty", Buffer.alloc(0), without);
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  builder.attribute(file("binary"), "user.binary", everyByte, without);
  for (const [index, name] of attributeNames.entries())
    builder.attribute(file(`name ${index}`), name, Buffer.from(name), without);
  const many = file("many");
  for (let i = 0; i < 60; i += 1)
    builder.attribute(many, `user.number ${(i * 37) % 60}`, scrambled(`${i}`, i % 9), without);
  const large = scrambled("large attribute", largeBytes);
  const what = `attributes of ${largeBytes} bytes: this file system does not hold them`;
  builder.attribute(file("large"), "user.large", large, what);
  const folder = builder.folder("attributes", "folder");
  builder.file(["attributes", "folder", "inside"]);
  builder.attribute(folder, "user.folder", everyByte, without);
  const unreadable = file("for nobody");
  builder.attribute(unreadable, "user.x", Buffer.from("x"), without);
  if (isRoot) chmodSync(unreadable, 0);
  addAccessLists(builder, file);
  if (isRoot) addCapabilities(builder, file);
  else builder.leftOut.push("file capabilities and trusted attributes: needs root");
}

/** Tags of entries in an access list, as the kernel numbers them. */
const tag = { userOwner: 1, user: 2, groupOwner: 4, group: 8, mask: 16, other: 32 } as const;
const noId = 0xffff_ffff;

function addAccessLists(builder: TreeBuilder, file: (name: string) => Buffer): void {
  const without = "access control lists: this file system has none";
  const some = accessList([
    [tag.userOwner, 6, noId],
    [tag.user, 7, 1000],
    [tag.user, 0, 4_294_967_294],
    [tag.groupOwner, 4, noId],
    [tag.group, 5, 2000],
    [tag.mask, 5, noId],
    [tag.other, 0, noId],
  ]);
  builder.attribute(file("access list"), "system.posix_acl_access", some, without);
  const folder = builder.folder("attributes", "default list");
  // Made before the list is there, so these have none; a restore must not let them inherit it.
  builder.file(["attributes", "default list", "file without list"]);
  builder.folder("attributes", "default list", "folder without list");
  builder.attribute(folder, "system.posix_acl_default", some, without);
  builder.file(["attributes", "default list", "file that inherited"]);
  builder.folder("attributes", "default list", "folder that inherited");
  builder.attribute(folder, "system.posix_acl_access", some, without);
  builder.atEnd(() => builder.entries.setTime(folder, { seconds: 1_111_111_111, nanoseconds: 1 }));
}

function accessList(entries: readonly (readonly [number, number, number])[]): Buffer {
  const bytes = Buffer.alloc(4 + entries.length * 8);
  bytes.writeUInt32LE(2, 0);
  for (const [index, [kind, permissions, id]] of entries.entries()) {
    bytes.writeUInt16LE(kind, 4 + index * 8);
    bytes.writeUInt16LE(permissions, 6 + index * 8);
    bytes.writeUInt32LE(id, 8 + index * 8);
  }
  return bytes;
}

function addCapabilities(builder: TreeBuilder, file: (name: string) => Buffer): void {
  const without = "file capabilities: this file system has none";
  // Version 2 and effective; then what may be passed on, and what may be inherited: two times 32 bits each.
  const plain = Buffer.from("0100000200040000000000000000000000000000", "hex");
  builder.attribute(file("capability"), "security.capability", plain, without);
  const owned = file("capability of another user's");
  lchownSync(owned, 1234, 5678);
  chmodSync(owned, 0o4755);
  builder.attribute(owned, "security.capability", plain, without);
  // Version 3: the same for the root user of another name space.
  const foreign = Buffer.from("0100000300200000000000000000000000000000a0860100", "hex");
  builder.attribute(file("capability elsewhere"), "security.capability", foreign, without);
  const value = scrambled("trusted", 200);
  builder.attribute(file("trusted"), "trusted.backstay", value, "trusted attributes");
  builder.attribute(file("security"), "security.backstay", value, "security attributes");
}
