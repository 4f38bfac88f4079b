/** One entry of a snapshot as a line of text, or as the members of restic's JSON objects. */
import { isUtf8, utf8Text } from "../repository/json/utf8.ts";
import type { Node } from "../repository/tree/node.ts";
import { timeText } from "../repository/tree/rfc3339.ts";
import { printedName } from "./printed-text.ts";
import { formatBytes, formatLocalTime } from "./quantities.ts";

/** How entries are shown. */
export interface EntryStyle {
  readonly long: boolean;
  readonly humanReadable: boolean;
  /** Make names safe for a terminal; programs get them as they are. */
  readonly safe: boolean;
}

/** Letters of Go's mode bits from bit 31 down. */
const modeLetters = "dalTLDpSugct?";

/** `drwxr-xr-x` and so on, as Go writes a FileMode. */
export function modeText(mode: number): string {
  const kinds = [...modeLetters].filter((_, bit) => ((mode >>> (31 - bit)) & 1) === 1);
  const permissions = [..."rwxrwxrwx"].map((letter, bit) =>
    ((mode >>> (8 - bit)) & 1) === 1 ? letter : "-",
  );
  return (kinds.length === 0 ? "-" : kinds.join("")) + permissions.join("");
}

/** The line of an entry with its line feed. */
export function entryLine(node: Node, path: Uint8Array, style: EntryStyle): string | Uint8Array {
  if (style.safe) {
    const target = node.type === "symlink" ? ` -> ${printedName(node.linkTarget)}` : "";
    return style.long
      ? `${longColumns(node, style)} ${printedName(path)}${target}\n`
      : `${printedName(path)}\n`;
  }
  if (!style.long) return Buffer.concat([path, lineFeed]);
  const target = node.type === "symlink" ? [Buffer.from(" -> "), node.linkTarget] : [];
  return Buffer.concat([Buffer.from(`${longColumns(node, style)} `), path, ...target, lineFeed]);
}

const lineFeed = Buffer.from("\n");

function longColumns(node: Node, style: EntryStyle): string {
  const size = style.humanReadable ? formatBytes(node.size) : String(node.size);
  const columns = [
    modeText(node.mode),
    String(node.uid).padStart(5),
    String(node.gid).padStart(5),
    size.padStart(6),
    formatLocalTime(node.mtime.seconds),
  ];
  return columns.join(" ");
}

/** The JSON object of an entry in `ls`. */
export function lsJson(node: Node, path: Uint8Array): string {
  const members = [
    `"name":${jsonText(node.name)}`,
    `"type":"${node.type}"`,
    `"path":${jsonText(path)}`,
    `"uid":${node.uid}`,
    `"gid":${node.gid}`,
    node.type === "file" ? `"size":${node.size}` : "",
    node.mode === 0 ? "" : `"mode":${node.mode}`,
    `"permissions":"${modeText(node.mode)}"`,
    ...timeMembers(node),
    node.inode === 0n ? "" : `"inode":${node.inode}`,
    rawPath(path),
    '"message_type":"node"',
    '"struct_type":"node"',
  ];
  return `{${members.filter((member) => member !== "").join(",")}}`;
}

/** The JSON object of a match of `find`. */
export function findJson(node: Node, path: Uint8Array): string {
  const members = [
    `"path":${jsonText(path)}`,
    `"permissions":"${modeText(node.mode)}"`,
    `"type":"${node.type}"`,
    node.mode === 0 ? "" : `"mode":${node.mode}`,
    ...timeMembers(node),
    `"uid":${node.uid}`,
    `"gid":${node.gid}`,
    node.user === "" ? "" : `"user":${JSON.stringify(node.user)}`,
    node.group === "" ? "" : `"group":${JSON.stringify(node.group)}`,
    node.inode === 0n ? "" : `"inode":${node.inode}`,
    node.deviceId === 0n ? "" : `"device_id":${node.deviceId}`,
    node.size === 0 ? "" : `"size":${node.size}`,
    node.links === 0n ? "" : `"links":${node.links}`,
    node.linkTarget.length === 0 ? "" : `"linktarget":${jsonText(node.linkTarget)}`,
    rawPath(path),
  ];
  return `{${members.filter((member) => member !== "").join(",")}}`;
}

function timeMembers(node: Node): string[] {
  return [
    `"mtime":"${timeText(node.mtime)}"`,
    `"atime":"${timeText(node.atime)}"`,
    `"ctime":"${timeText(node.ctime)}"`,
  ];
}

/** JSON knows text only: the true bytes of a path that is none are given besides. */
function rawPath(path: Uint8Array): string {
  return isUtf8(path) ? "" : `"path_raw":"${Buffer.from(path).toString("base64")}"`;
}

function jsonText(bytes: Uint8Array): string {
  return JSON.stringify(utf8Text(bytes));
}
