/**
 * Preloaded into a process that backs up (`node --import`), in all its threads: makes chosen entries of the source
 * change at chosen calls. What is to happen is JSON in `BACKSTAY_TEST_CHANGES`, a list of `SourceChange`.
 */
import * as fs from "node:fs";
import { LinuxSourceDirectory } from "../../platform/linux/linux-source-directory.ts";
import { LinuxSourceFiles } from "../../platform/linux/linux-source-files.ts";
import { type DirectoryToken, FileError } from "../../platform/ports/source-files.ts";
import { changingFiles, type FileMoment } from "./changing-files.ts";

/** Calls on directories: `look` is the stat of an entry, `enter` the opening of a subdirectory. */
export type DirectoryMoment = "look" | "enter" | "link";

export interface SourceChange {
  /** Name of the entry, anywhere in the source. */
  readonly name: string;
  readonly moment: FileMoment | DirectoryMoment;
  readonly side: "before" | "after";
  /** Which call of that kind on this entry in one thread, from 1. */
  readonly number: number;
  readonly action:
    | "append"
    | "truncate"
    | "remove"
    | "link"
    | "folder"
    | "file"
    | "deny"
    | "fail"
    | "throw"
    | "exit";
}

const changes = JSON.parse(process.env["BACKSTAY_TEST_CHANGES"] ?? "[]") as SourceChange[];
const counts = new Map<string, number>();

function happen(folder: Uint8Array, name: Uint8Array, change: SourceChange): void {
  const place = Buffer.concat([folder, Buffer.from("/"), name]);
  const { action } = change;
  if (action === "append") fs.appendFileSync(place, "more");
  else if (action === "truncate") fs.truncateSync(place, 1);
  else if (action === "deny") fs.chmodSync(place, 0);
  else if (action === "fail") throw new FileError("EIO", "pread", place.toString());
  else if (action === "throw") throw new Error("something that no one thought of");
  else if (action === "exit") process.exit(7);
  else {
    fs.rmSync(place, { recursive: true });
    if (action === "link") fs.symlinkSync("/etc/passwd", place);
    if (action === "folder") fs.mkdirSync(place);
    if (action === "file") fs.writeFileSync(place, "a file now");
  }
}

function told(
  folder: Uint8Array,
  name: Uint8Array,
  moment: SourceChange["moment"],
  side: SourceChange["side"],
): void {
  const text = Buffer.from(name).toString();
  const key = `${text} ${moment} ${side}`;
  const number = (counts.get(key) ?? 0) + 1;
  counts.set(key, number);
  for (const change of changes)
    if (
      change.name === text &&
      change.moment === moment &&
      change.side === side &&
      change.number === number
    )
      happen(folder, name, change);
}

const { openFile } = LinuxSourceFiles.prototype;
LinuxSourceFiles.prototype.openFile = function (directory: DirectoryToken, name: Uint8Array) {
  const inner = { ...this, openFile: openFile.bind(this) } as unknown as LinuxSourceFiles;
  const kept = name.slice();
  const files = changingFiles(inner, (moment, side) => told(directory.path, kept, moment, side));
  return files.openFile(directory, name);
};

const { stat, openDirectory, readLink } = LinuxSourceDirectory.prototype;
LinuxSourceDirectory.prototype.stat = function (name, record, offset) {
  if (name === undefined) return stat.call(this, name, record, offset);
  told(this.path, name, "look", "before");
  stat.call(this, name, record, offset);
  told(this.path, name, "look", "after");
};
LinuxSourceDirectory.prototype.openDirectory = function (name) {
  told(this.path, name, "enter", "before");
  const opened = openDirectory.call(this, name);
  told(this.path, name, "enter", "after");
  return opened;
};
LinuxSourceDirectory.prototype.readLink = function (name) {
  told(this.path, name, "link", "before");
  return readLink.call(this, name);
};
