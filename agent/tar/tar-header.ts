/**
 * Headers of tar archives: ustar, with pax records before it for what ustar can't say (POSIX.1-2001; attributes
 * in the records that star introduced and GNU tar and bsdtar read).
 */

/** Everything in an archive is a multiple of this. */
export const tarBlockBytes = 512;

/** Type flags of ustar. */
export const tarType = {
  file: "0",
  hardLink: "1",
  symlink: "2",
  charDevice: "3",
  blockDevice: "4",
  directory: "5",
  fifo: "6",
} as const;

/** A moment: whole seconds since 1970, below 0 before that, and 0 to 999,999,999 nanoseconds after them. */
export interface TarTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** An extended attribute; names and values are raw bytes. */
export interface TarAttribute {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

export interface TarEntry {
  readonly type: (typeof tarType)[keyof typeof tarType];
  /** Raw path without a slash at the beginning; directories with one at the end. */
  readonly path: Uint8Array;
  /** Permission bits 0 … 07777. */
  readonly permissions: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  /** Bytes that follow the header; 0 for everything but files. */
  readonly size: number;
  readonly mtime: TarTime;
  /** Raw target of a symlink, or path of the entry that a hard link names again. */
  readonly linkPath: Uint8Array;
  /** Device number in the kernel's 64-bit encoding. */
  readonly device: bigint;
  readonly attributes: readonly TarAttribute[];
}

/** Fields of a ustar header: offset and length. */
const field = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  user: [265, 32],
  group: [297, 32],
  major: [329, 8],
  minor: [337, 8],
} as const;
type Field = (typeof field)[keyof typeof field];

const slash = 0x2f;

/** What stands before an entry's content. */
export function tarHeader(entry: TarEntry): Uint8Array {
  const records = paxRecords(entry);
  if (records.length === 0) return ustar(entry, entry.type, entry.size);
  const body = padded(Buffer.concat(records));
  const bodySize = records.reduce((sum, record) => sum + record.length, 0);
  const name = Buffer.concat([Buffer.from("PaxHeaders/"), lastName(entry.path)]);
  const extension = ustar({ ...entry, path: name, permissions: 0o644 }, "x", bodySize);
  return Buffer.concat([extension, body, ustar(entry, entry.type, entry.size)]);
}

/** Zeros that stand behind content of so many bytes. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((tarBlockBytes - (size % tarBlockBytes)) % tarBlockBytes);
}

/** What stands at the end of an archive. */
export function tarEnd(): Uint8Array {
  return new Uint8Array(tarBlockBytes * 2);
}

function ustar(entry: TarEntry, type: string, size: number): Uint8Array {
  const block = Buffer.alloc(tarBlockBytes);
  putBytes(block, field.name, entry.path);
  putOctal(block, field.mode, entry.permissions);
  putOctal(block, field.uid, entry.uid);
  putOctal(block, field.gid, entry.gid);
  putOctal(block, field.size, size);
  putOctal(block, field.mtime, Math.max(0, entry.mtime.seconds));
  block.write(type, field.type[0], "latin1");
  putBytes(block, field.linkName, entry.linkPath);
  block.write("ustar\x0000", field.magic[0], "latin1");
  putBytes(block, field.user, Buffer.from(entry.user));
  putBytes(block, field.group, Buffer.from(entry.group));
  putOctal(block, field.major, deviceMajor(entry.device));
  putOctal(block, field.minor, deviceMinor(entry.device));
  block.fill(" ", field.checksum[0], field.checksum[0] + field.checksum[1]);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, field.checksum[0], "latin1");
  return block;
}

/** Cut to the field; a pax record holds the rest. */
function putBytes(block: Buffer, [offset, length]: Field, value: Uint8Array): void {
  block.set(value.subarray(0, length), offset);
}

/** 0 for what does not fit; a pax record holds it. */
function putOctal(block: Buffer, [offset, length]: Field, value: number): void {
  const digits = value.toString(8);
  const text = fitsOctal(value, length) ? digits : "0";
  block.write(`${text.padStart(length - 1, "0")}\0`, offset, "latin1");
}

function fitsOctal(value: number, length: number): boolean {
  return value.toString(8).length <= length - 1;
}

/** Records for everything that ustar would lose. */
function paxRecords(entry: TarEntry): Uint8Array[] {
  const records: Uint8Array[] = [];
  const add = (key: string, value: string | Uint8Array): void => {
    records.push(paxRecord(key, typeof value === "string" ? Buffer.from(value) : value));
  };
  const hasPath = needsRecord(entry.path, field.name);
  const hasLinkPath = needsRecord(entry.linkPath, field.linkName);
  if ((hasPath && !isUtf8(entry.path)) || (hasLinkPath && !isUtf8(entry.linkPath)))
    add("hdrcharset", "BINARY");
  if (hasPath) add("path", entry.path);
  if (hasLinkPath) add("linkpath", entry.linkPath);
  if (!fitsOctal(entry.size, field.size[1])) add("size", String(entry.size));
  if (!fitsOctal(entry.uid, field.uid[1])) add("uid", String(entry.uid));
  if (!fitsOctal(entry.gid, field.gid[1])) add("gid", String(entry.gid));
  if (needsRecord(Buffer.from(entry.user), field.user)) add("uname", entry.user);
  if (needsRecord(Buffer.from(entry.group), field.group)) add("gname", entry.group);
  const { seconds, nanoseconds } = entry.mtime;
  if (nanoseconds !== 0 || seconds < 0 || !fitsOctal(seconds, field.mtime[1]))
    add("mtime", paxTime(entry.mtime));
  for (const { name, value } of entry.attributes) {
    const key = Buffer.from(name).toString("latin1").replace(/%/g, "%25").replace(/=/g, "%3D");
    records.push(paxRecord(Buffer.concat([attributeKey, Buffer.from(key, "latin1")]), value));
  }
  return records;
}

const attributeKey = Buffer.from("SCHILY.xattr.");

/** ustar holds what fits, and is plain ASCII or no text at all: records are read as UTF-8. */
function needsRecord(value: Uint8Array, [, length]: Field): boolean {
  return value.length > length || (value.some((byte) => byte >= 0x80) && isUtf8(value));
}

/** `length key=value\n`, where the length counts itself. */
function paxRecord(key: string | Uint8Array, value: Uint8Array): Uint8Array {
  const rest = Buffer.concat([
    Buffer.from(" "),
    typeof key === "string" ? Buffer.from(key) : key,
    Buffer.from("="),
    value,
    Buffer.from("\n"),
  ]);
  let total = rest.length + String(rest.length).length;
  if (String(total).length > String(rest.length).length) total = rest.length + String(total).length;
  return Buffer.concat([Buffer.from(String(total)), rest]);
}

/** Seconds with a fraction; the fraction of a negative time counts towards zero. */
function paxTime({ seconds, nanoseconds }: TarTime): string {
  const isNegative = seconds < 0;
  const whole = isNegative && nanoseconds > 0 ? seconds + 1 : seconds;
  const fraction = isNegative && nanoseconds > 0 ? 1_000_000_000 - nanoseconds : nanoseconds;
  const sign = isNegative ? "-" : "";
  const digits = fraction === 0 ? "" : `.${String(fraction).padStart(9, "0")}`;
  return `${sign}${Math.abs(whole)}${digits}`;
}

function isUtf8(bytes: Uint8Array): boolean {
  return Buffer.compare(Buffer.from(Buffer.from(bytes).toString()), bytes) === 0;
}

function lastName(path: Uint8Array): Uint8Array {
  const end = path.at(-1) === slash ? path.length - 1 : path.length;
  return path.subarray(path.subarray(0, end).lastIndexOf(slash) + 1, end);
}

function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, tarPadding(bytes.length)]);
}

/** Linux puts the low 12 bits of the major number at bit 8, the others above bit 32. */
function deviceMajor(device: bigint): number {
  return Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n));
}

function deviceMinor(device: bigint): number {
  return Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
}
