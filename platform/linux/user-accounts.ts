/**
 * The people who use a Linux machine: ordinary accounts of /etc/passwd, and accounts of directory services (which often
 * can't be listed) by the homes that they have in /home.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { runTool } from "../node/run-tool.ts";
import type { UserAccount, UserAccounts } from "../ports/user-accounts.ts";
import { userDirectories } from "./user-directories.ts";

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly home: string;
  readonly shell: string;
}

export interface LinuxUserAccountsOptions {
  readonly passwdPath?: string;
  readonly loginDefsPath?: string;
  /** Where homes of directory services are, right in it or one folder deeper. */
  readonly homesFolder?: string;
  /** Lines in the form of /etc/passwd for these user ids. */
  readonly lookUp?: (uids: readonly number[]) => Promise<string>;
}

const noShell = /\/(?:nologin|false|sync|halt|shutdown)$/;
const lookUpTimeoutMs = 10_000;
/** Ids at the end of the range mean nobody. */
const highestUid = 0xfffffffd;
const nobody = 65_534;

export class LinuxUserAccounts implements UserAccounts {
  readonly #passwdPath: string;
  readonly #loginDefsPath: string;
  readonly #homesFolder: string;
  readonly #lookUp: (uids: readonly number[]) => Promise<string>;

  constructor(options: LinuxUserAccountsOptions = {}) {
    this.#passwdPath = options.passwdPath ?? "/etc/passwd";
    this.#loginDefsPath = options.loginDefsPath ?? "/etc/login.defs";
    this.#homesFolder = options.homesFolder ?? "/home";
    this.#lookUp = options.lookUp ?? askNameService;
  }

  async list(): Promise<readonly UserAccount[]> {
    const { lowest, highest } = uidRange(await readText(this.#loginDefsPath));
    const known = passwdEntries(await readText(this.#passwdPath));
    const local = known.filter(
      ({ uid, shell }) => uid >= lowest && uid <= highest && !noShell.test(shell),
    );
    const knownUids = new Set(known.map(({ uid }) => uid));
    const owners = (await this.#homeOwners()).filter(
      (uid) => uid >= lowest && uid <= highestUid && uid !== nobody && !knownUids.has(uid),
    );
    const distant = owners.length === 0 ? [] : passwdEntries(await this.#lookUp(owners));
    const accounts: UserAccount[] = [];
    const homes = new Set<string>();
    for (const { name, uid, home } of [...local, ...distant]) {
      if (homes.has(home) || !(await isHome(home))) continue;
      homes.add(home);
      accounts.push({ name, id: String(uid), home, folders: await userDirectories(home, uid) });
    }
    return accounts.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Who owns the folders where homes are; folders of the system there may hold homes themselves. */
  async #homeOwners(): Promise<number[]> {
    const owners = new Set<number>();
    for (const { folder, uid } of await foldersIn(this.#homesFolder)) {
      if (uid !== 0) owners.add(uid);
      else for (const inner of await foldersIn(folder)) owners.add(inner.uid);
    }
    return [...owners];
  }
}

async function foldersIn(folder: string): Promise<{ folder: string; uid: number }[]> {
  try {
    const found = [];
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const inner = path.join(folder, entry.name);
      const uid = (await stat(inner).catch(() => undefined))?.uid;
      if (uid !== undefined) found.push({ folder: inner, uid });
    }
    return found;
  } catch {
    // What can't be listed has no homes that could be backed up.
    return [];
  }
}

/** `UID_MIN` and `UID_MAX` of login.defs; usual values where they are absent. */
function uidRange(loginDefs: string): { lowest: number; highest: number } {
  const setting = (name: string): number | undefined => {
    const match = new RegExp(`^\\s*${name}\\s+(\\d+)`, "m").exec(loginDefs);
    return match === null ? undefined : Number(match[1]);
  };
  return { lowest: setting("UID_MIN") ?? 1000, highest: setting("UID_MAX") ?? 60_000 };
}

function passwdEntries(text: string): PasswdEntry[] {
  return text.split("\n").flatMap((line) => {
    const [name, , id, , , home, shell] = line.split(":");
    // Lines that begin with + or - refer to a directory service.
    if (shell === undefined || !/^[^+#-]/.test(name) || !/^\d{1,10}$/.test(id)) return [];
    return [{ name, uid: Number(id), home: trimmedPath(home), shell: shell.trim() }];
  });
}

function trimmedPath(home: string): string {
  return path.isAbsolute(home) ? path.resolve(home) : "";
}

async function isHome(home: string): Promise<boolean> {
  if (home === "" || home === "/") return false;
  try {
    return (await stat(home)).isDirectory();
  } catch (error) {
    // A home that is there and can't be looked into must become an issue of the backup.
    return !(
      error instanceof Error &&
      "code" in error &&
      ["ENOENT", "ENOTDIR"].includes(String(error.code))
    );
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch {
    // Then what is usual applies.
    return "";
  }
}

/** Asks in a process of its own: a directory service that does not answer would hold up this one. */
async function askNameService(uids: readonly number[]): Promise<string> {
  // Exit code 2 means that some of them are unknown; the others are in the output.
  return (await runTool("getent", ["passwd", ...uids.map(String)], lookUpTimeoutMs)).stdout;
}
