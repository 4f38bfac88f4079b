/** Entries that are neither files nor folders, and entries with several names. */
import { Buffer } from "node:buffer";
import { lchownSync, linkSync, symlinkSync } from "node:fs";
import { isRoot } from "../../platform/linux/awkward-entries.ts";
import { modeType } from "../../platform/ports/stat-record.ts";
import { scrambled, type TreeBuilder } from "./tree-builder.ts";

const mostTargetBytes = 4095;
const manyNames = 40;

const targets: Readonly<Record<string, string | Buffer>> = {
  "to a file": "../names/odd/case",
  "to a folder": "..",
  "to nothing": "no such entry",
  absolute: "/etc/hostname",
  "absolute to nothing": "/no/such/entry",
  "to itself": "to itself",
  "of one byte": ".",
  "with dots": "./.././links/./to itself",
  "with slashes": "a//b///",
  "with newline, quote and backslash": 'a\n"\\',
  "with markup": "<a>&\u2028é",
  "with control characters": "\b\f\u0001\u007f",
  "with broken UTF-8": Buffer.from([0xff, 0xfe, 0x2f, 0x22, 0xc3]),
  "with half a surrogate": Buffer.from([0xed, 0xa0, 0x80]),
  "with a replacement character": "\ufffd",
  "with Go's quoting": "a\\xffb",
  "of 4095 bytes": Buffer.alloc(mostTargetBytes, "0123456789/"),
  "of 4095 broken bytes": Buffer.alloc(mostTargetBytes, 0xe9),
};

/** Makes the folder `links`: symlinks. */
export function addSymlinks(builder: TreeBuilder): void {
  builder.folder("links");
  for (const [name, target] of Object.entries(targets))
    symlinkSync(target, builder.path("links", name));
  const old = builder.path("links", "from 1999");
  symlinkSync("elsewhere", old);
  builder.entries.setTime(old, { seconds: 930_000_000, nanoseconds: 123_456_789 });
  if (!isRoot) {
    builder.leftOut.push("symlinks with owners and attributes of their own: needs root");
    return;
  }
  const owned = builder.path("links", "of another user");
  symlinkSync("elsewhere", owned);
  lchownSync(owned, 12_345, 54_321);
  const noted = builder.path("links", "with an attribute");
  symlinkSync("elsewhere", noted);
  const value = scrambled("attribute of a symlink", 100);
  builder.attribute(noted, "trusted.backstay", value, "attributes of symlinks");
}

/** Makes the folder `special`: fifos, sockets, devices. */
export function addSpecialEntries(builder: TreeBuilder): void {
  builder.folder("special");
  const make = (name: string, mode: number, device = 0): Buffer => {
    const place = builder.path("special", name);
    builder.entries.makeNode(place, mode, device);
    return place;
  };
  const fifo = make("fifo", modeType.fifo | 0o640);
  builder.entries.setTime(fifo, { seconds: 1_000_000_000, nanoseconds: 1 });
  make("socket", modeType.socket | 0o755);
  if (!isRoot) {
    builder.leftOut.push("devices, and fifos of other users or with attributes: needs root");
    return;
  }
  for (const [kind, type] of [
    ["character", modeType.charDevice],
    ["block", modeType.blockDevice],
  ] as const) {
    make(`${kind} device 1:3`, type | 0o666, deviceNumber(1, 3));
    make(`${kind} device 0:0`, type | 0o600, 0);
    make(`${kind} device 4095:1048575`, type | 0o4751, deviceNumber(4095, 1_048_575));
    make(`${kind} device 259:70000`, type | 0o660, deviceNumber(259, 70_000));
  }
  const owned = make("fifo of another user", modeType.fifo | 0o7777);
  lchownSync(owned, 4_000_000_000, 7);
  const value = Buffer.from("of a fifo");
  builder.attribute(make("fifo with an attribute", 0o010600), "trusted.x", value, "of fifos");
  const device = make("device with an attribute", 0o020600, deviceNumber(1, 7));
  builder.attribute(device, "trusted.x", value, "attributes of devices");
}

/** Makes the folder `hard links`: entries with several names, also across folders. */
export function addHardLinks(builder: TreeBuilder): void {
  const top = "hard links";
  builder.folder(top, "a", "deeper");
  builder.folder(top, "b");
  const link = (from: readonly string[], to: readonly string[]): void =>
    linkSync(builder.path(top, ...from), builder.path(top, ...to));
  builder.file([top, "a", "small"], "two names in one folder");
  link(["a", "small"], ["a", "small too"]);
  builder.file([top, "b", "large"], scrambled("large", 3_000_000));
  link(["b", "large"], ["a", "deeper", "large"]);
  link(["b", "large"], ["zuletzt"]);
  builder.file([top, "a", "empty"]);
  link(["a", "empty"], ["b", "empty"]);
  // The same bytes, but another file.
  builder.file([top, "b", "small"], "two names in one folder");
  builder.file([top, "many 0"], "many");
  for (let i = 1; i < manyNames; i += 1) link(["many 0"], [`many ${i}`]);
  symlinkSync("target", builder.path(top, "a", "symlink"));
  link(["a", "symlink"], ["b", "symlink"]);
  builder.entries.makeNode(builder.path(top, "a", "fifo"), modeType.fifo | 0o600, 0);
  link(["a", "fifo"], ["b", "fifo"]);
  builder.entries.makeNode(builder.path(top, "a", "socket"), modeType.socket | 0o600, 0);
  link(["a", "socket"], ["b", "socket"]);
  if (!isRoot) return;
  const mode = modeType.charDevice | 0o600;
  builder.entries.makeNode(builder.path(top, "a", "device"), mode, deviceNumber(1, 5));
  link(["a", "device"], ["b", "device"]);
}

/** As the C library's makedev(3). */
function deviceNumber(major: number, minor: number): number {
  const low = (minor & 0xff) + (major & 0xfff) * 0x100;
  return low + Math.floor(minor / 0x100) * 0x100000;
}
