/** A Mac that answers as its programs do, from outputs written after their documentation and sources in `macos/`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DarwinCommands } from "../../platform/darwin/command-output.ts";

/** The text of a file of `macos/`. */
export function recorded(name: string): string {
  return readFileSync(join(import.meta.dirname, "macos", name), "utf8");
}

/** What a command line prints: all of it, or what it complains of with another exit code. */
export type PlayedOutput = string | { readonly exitCode: number; readonly problem: string };

export interface PlayedMac {
  readonly commands: DarwinCommands;
  /** Every command line so far. */
  readonly lines: string[];
}

const usual: Readonly<Record<string, string>> = {
  "ioreg -n Root -d1 -a": "ioreg-unlocked.plist",
  "pmset -g batt": "pmset-batt-discharging.txt",
  "pmset -g sched": "pmset-sched.txt",
  scutil: "scutil-global.txt",
  "scutil --nc list": "scutil-nc-list-down.txt",
  "networksetup -listallhardwareports": "networksetup-ports.txt",
  "ipconfig getsummary en0": "ipconfig-en0.txt",
  mount: "mount.txt",
  "diskutil info -plist /": "diskutil-root.plist",
  "diskutil info -plist /System/Volumes/Data": "diskutil-data.plist",
  "diskutil info -plist /Volumes/Ann's (old) disk": "diskutil-apfs.plist",
  "diskutil info -plist disk4s2": "diskutil-store.plist",
  "diskutil info -plist /Volumes/STICK on desk": "diskutil-stick.plist",
};
const silent = /^(?:diskutil (?:unmountDisk|eject) |pmset (?:schedule |sleepnow)|shutdown )/;

/** `outputs` are asked first, by the whole command line. */
export function playMac(outputs: Readonly<Record<string, PlayedOutput>> = {}): PlayedMac {
  const lines: string[] = [];
  const commands: DarwinCommands = async (program, args) => {
    const line = [program, ...args].join(" ");
    lines.push(line);
    const name = usual[line];
    const known = name === undefined ? undefined : recorded(name);
    const output = outputs[line] ?? known ?? (silent.test(line) ? "" : undefined);
    if (output === undefined)
      return { exitCode: 1, stdout: "", problem: `nobody has recorded: ${line}` };
    if (typeof output === "string") return { exitCode: 0, stdout: output, problem: "" };
    return { ...output, stdout: "" };
  };
  return { commands, lines };
}
