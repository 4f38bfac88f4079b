/** A folder with every kind of entry and name that trees must carry, for comparing our trees with restic's. */
import { chmodSync, lchownSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { AwkwardEntries, isRoot } from "../../platform/linux/awkward-entries.ts";

const mostNameBytes = 240;
/** The printable characters begin or end at these; the last ones were assigned after Unicode 15.0. */
const extraPoints = [
  0xad, 0x200d, 0xfe0f, 0xfffd, 0x1fae8, 0x1f600, 0x88f, 0x897, 0x1fae9, 0x2ebf0,
];

/** Makes the folder; as root it also holds devices and foreign owners. Files are below 512 KiB. */
export function makeTreeSample(folder: string): void {
  mkdirSync(folder);
  const entries = new AwkwardEntries();
  const at = (name: string | Uint8Array) => Buffer.concat([Buffer.from(`${folder}/`), bytes(name)]);
  makeNames(at);
  for (const [index, name] of boundaryNames().entries()) writeFileSync(at(name), `${index}`);
  mkdirSync(path.join(folder, "empty"));
  mkdirSync(path.join(folder, "deep", "er"), { recursive: true });
  writeFileSync(path.join(folder, "deep", "er", "file"), "x");
  writeFileSync(path.join(folder, "nothing"), "");
  writeFileSync(path.join(folder, "linked"), "linked");
  linkSync(path.join(folder, "linked"), path.join(folder, "linked too"));
  symlinkSync("target", path.join(folder, "link"));
  symlinkSync("<a>&\u2028é", path.join(folder, "link with text"));
  symlinkSync(Buffer.from([0xff, 0xfe, 0x2f, 0x22]), path.join(folder, "link with bytes"));
  entries.makeNode(at("fifo"), 0o010640, 0);
  writeFileSync(at("attributes"), "x");
  entries.setAttribute(at("attributes"), "user.empty", new Uint8Array(0));
  entries.setAttribute(
    at("attributes"),
    "user.<é>",
    Uint8Array.from({ length: 256 }, (_, i) => i),
  );
  makeModes(folder);
  makeTimes(at, entries);
  if (isRoot) makeWhatRootMay(at, entries);
}

function makeNames(at: (name: string | Uint8Array) => Buffer): void {
  for (let byte = 1; byte < 256; byte += 1) {
    if (byte !== 0x2f) writeFileSync(at(Buffer.from([0x62, byte, 0x65])), "x");
  }
  const others = [
    [0xed, 0xa0, 0x80],
    [0xc0, 0xaf],
    [0xf4, 0x90, 0x80, 0x80],
    [0xe2, 0x82],
  ];
  for (const other of others) writeFileSync(at(Buffer.from(other)), "x");
  writeFileSync(at("n".repeat(255)), "x");
  writeFileSync(at("é".repeat(127)), "x");
  writeFileSync(at('<a\\b>\u00a0&"\n'), "x");
}

/** Names that hold both sides of every border between what this Node prints and what it does not. */
function boundaryNames(): string[] {
  const printable = /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;
  const points = [...extraPoints];
  let before = false;
  for (let point = 0x80; point <= 0x10ffff; point += 1) {
    if (point >= 0xd800 && point < 0xe000) continue;
    const here = printable.test(String.fromCodePoint(point));
    if (here !== before) points.push(...(point === 0xe000 ? [point] : [point - 1, point]));
    before = here;
  }
  const names = [""];
  for (const point of points) {
    const character = String.fromCodePoint(point);
    const last = `${names.at(-1)}${character}`;
    if (Buffer.byteLength(last) <= mostNameBytes) names[names.length - 1] = last;
    else names.push(character);
  }
  return names;
}

function makeModes(folder: string): void {
  for (const mode of [0, 0o200, 0o777, 0o1644, 0o2755, 0o4755, 0o6711]) {
    const file = path.join(folder, `mode ${mode.toString(8)}`);
    writeFileSync(file, "x");
    chmodSync(file, mode);
  }
  mkdirSync(path.join(folder, "sticky"));
  chmodSync(path.join(folder, "sticky"), 0o1777);
}

function makeTimes(at: (name: string) => Buffer, entries: AwkwardEntries): void {
  const times = [
    [0, 0],
    [0, 1],
    [-1, 999_999_999],
    [-2_000_000_000, 5],
    [1_500_000_000, 120_000_000],
    [4_102_444_800, 1_000],
  ] as const;
  for (const [seconds, nanoseconds] of times) {
    const file = at(`time ${seconds} ${nanoseconds}`);
    writeFileSync(file, "x");
    entries.setTime(file, { seconds, nanoseconds });
  }
}

function makeWhatRootMay(at: (name: string) => Buffer, entries: AwkwardEntries): void {
  entries.makeNode(at("null device"), 0o020666, (1 << 8) | 3);
  entries.makeNode(at("block device"), 0o060660, (8 << 8) | 0x12);
  writeFileSync(at("owned by nobody we know"), "x");
  lchownSync(at("owned by nobody we know"), 4_000_000_000, 4_294_967_294);
}

function bytes(name: string | Uint8Array): Uint8Array {
  return typeof name === "string" ? Buffer.from(name) : name;
}
