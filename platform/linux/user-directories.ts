/** Where a user keeps folders of each kind: `user-dirs.dirs` of the XDG, or the names that are usual without it. */
import { constants } from "node:fs";
import { lstat, open, realpath, stat } from "node:fs/promises";
import path from "node:path";
import type { PersonalFolder } from "../../protocol/policy/personal-folders.ts";
import type { UserAccount } from "../ports/user-accounts.ts";

/** By the name in the file, without `XDG_` and `_DIR`. */
const kinds: readonly [name: string, kind: PersonalFolder, usual: string][] = [
  ["DESKTOP", "desktop", "Desktop"],
  ["DOCUMENTS", "documents", "Documents"],
  ["DOWNLOAD", "downloads", "Downloads"],
  ["MUSIC", "music", "Music"],
  ["PICTURES", "pictures", "Pictures"],
  ["VIDEOS", "videos", "Videos"],
];

/** Programs keep data of users in these; some may not exist. */
const applicationData = [
  ".config",
  ".local/share",
  ".local/state",
  ".mozilla",
  ".thunderbird",
  ".var/app",
  "snap",
];

const fileBytesMax = 64 * 1024;

/**
 * The folders of a user. The file is the user's own, so a folder outside of the home counts only if it is the user's
 * too; a folder that is a link to one of the user's folders brings along what it leads to.
 */
export async function userDirectories(home: string, uid: number): Promise<UserAccount["folders"]> {
  const configured = parseUserDirectories(
    await readSmallFile(`${home}/.config/user-dirs.dirs`),
    home,
  );
  const folders: Partial<Record<PersonalFolder, readonly string[]>> = {
    "application-data": applicationData.map((name) => path.join(home, name)),
  };
  for (const [name, kind, usual] of kinds) {
    const chosen = configured.get(name) ?? path.join(home, usual);
    // The home itself stands for "no such folder".
    if (chosen === home) continue;
    folders[kind] = (await ownPlaces(chosen, home, uid)) ?? [path.join(home, usual)];
  }
  return folders;
}

/** Absolute paths by the name in the file; what is not in its form is ignored, as the XDG's own tools do. */
export function parseUserDirectories(text: string, home: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^\s*XDG_([A-Z]+)_DIR\s*=\s*"(\$HOME(?=\/|")|(?=\/))((?:[^"\\]|\\.)*)"/.exec(
      line,
    );
    if (match === null) continue;
    const [, name, base, rest] = match;
    const below = rest.replaceAll(/\\(.)/g, "$1");
    found.set(name, path.resolve(base === "" ? below : `${home}/${below}`));
  }
  return found;
}

/** The folder, and what it leads to if it is a link; undefined if it is not for this user to name. */
async function ownPlaces(
  folder: string,
  home: string,
  uid: number,
): Promise<readonly string[] | undefined> {
  const isInHome = folder.startsWith(`${home}/`);
  try {
    const isLink = (await lstat(folder)).isSymbolicLink();
    if (isInHome && !isLink) return [folder];
    const target = await stat(folder);
    const isOwn = target.isDirectory() && target.uid === uid;
    if (isOwn) return isLink ? [folder, await realpath(folder)] : [folder];
  } catch {
    // Absent, or on a disk that is not there.
  }
  return isInHome ? [folder] : undefined;
}

/** The file's text; empty if it is absent, no plain file, or too large to be what it should. */
async function readSmallFile(file: string): Promise<string> {
  try {
    // A pipe in its place must not hold us up.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size } = await handle.stat();
      const isPlain = (await handle.stat()).isFile() && size <= fileBytesMax;
      return isPlain ? await handle.readFile("utf8") : "";
    } finally {
      await handle.close();
    }
  } catch {
    return "";
  }
}
