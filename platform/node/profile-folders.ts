/** The people who use a machine, by the folders of their profiles, with the folders of each kind by their usual names. */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { type PersonalFolder, personalFolders } from "../../protocol/policy/personal-folders.ts";
import type { UserAccount, UserAccounts } from "../ports/user-accounts.ts";

export interface ProfileLayout {
  /** Holds a folder for each user. */
  readonly root: string;
  /** Folders in it that are nobody's, in small letters. */
  readonly notUsers: readonly string[];
  /** Below the folder of a user. */
  readonly folders: Readonly<Partial<Record<PersonalFolder, readonly string[]>>>;
}

export const macProfiles: ProfileLayout = {
  root: "/Users",
  notUsers: ["shared", "guest", "deleted users"],
  folders: {
    desktop: ["Desktop"],
    documents: ["Documents"],
    downloads: ["Downloads"],
    music: ["Music"],
    pictures: ["Pictures"],
    videos: ["Movies"],
    "application-data": ["Library"],
  },
};

export class ProfileFolders implements UserAccounts {
  readonly #layout: ProfileLayout;

  constructor(layout: ProfileLayout) {
    this.#layout = layout;
  }

  async list(): Promise<readonly UserAccount[]> {
    const { root, notUsers } = this.#layout;
    const entries = await readdir(root, { withFileTypes: true });
    return entries
      .filter(
        (entry) =>
          entry.isDirectory() &&
          !entry.name.startsWith(".") &&
          !notUsers.includes(entry.name.toLowerCase()),
      )
      .map(({ name }) => this.#account(name))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #account(name: string): UserAccount {
    const { root, folders } = this.#layout;
    const home = path.join(root, name);
    const found: Partial<Record<PersonalFolder, readonly string[]>> = {};
    for (const kind of personalFolders) {
      const names = folders[kind];
      if (names !== undefined) found[kind] = names.map((each) => path.join(home, each));
    }
    return { name, id: name, home, folders: found };
  }
}
