/** The people who use a Mac, of its directory. */
import { stat } from "node:fs/promises";
import path from "node:path";
import type { PersonalFolder } from "../../protocol/policy/personal-folders.ts";
import { macProfiles, ProfileFolders } from "../node/profile-folders.ts";
import type { UserAccount, UserAccounts } from "../ports/user-accounts.ts";
import { type DirectoryAccount, decodeAccounts } from "./account-text.ts";
import { type DarwinCommands, darwinCommands } from "./command-output.ts";

const attributes = ["RecordName", "UniqueID", "NFSHomeDirectory"];

export class DarwinUserAccounts implements UserAccounts {
  readonly #commands: DarwinCommands;

  /** `commands` are others than the system's, for tests. */
  constructor(commands: DarwinCommands = darwinCommands) {
    this.#commands = commands;
  }

  /** Where the directory does not answer, the folders of homes are what there is. */
  async list(): Promise<readonly UserAccount[]> {
    const found = await this.#accounts();
    if (found === undefined) return await new ProfileFolders(macProfiles).list();
    const accounts: UserAccount[] = [];
    for (const account of found)
      if (await isHome(account.home)) accounts.push({ ...account, folders: foldersOf(account) });
    return accounts.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #accounts(): Promise<readonly DirectoryAccount[] | undefined> {
    const args = ["-plist", ".", "-readall", "/Users", ...attributes];
    const { exitCode, stdout } = await this.#commands("dscl", args);
    return exitCode === 0 ? decodeAccounts(stdout) : undefined;
  }
}

function foldersOf({ home }: DirectoryAccount): UserAccount["folders"] {
  const found: Partial<Record<PersonalFolder, readonly string[]>> = {};
  for (const [kind, names] of Object.entries(macProfiles.folders))
    found[kind as PersonalFolder] = names.map((name) => path.join(home, name));
  return found;
}

async function isHome(home: string): Promise<boolean> {
  try {
    return (await stat(home)).isDirectory();
  } catch (error) {
    // A home that is there and can't be looked into must become an issue of the backup.
    return !["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
  }
}
