/** The people who use a Windows machine, by the profiles that the registry lists. */
import { stat } from "node:fs/promises";
import { win32 as path } from "node:path";
import type { PersonalFolder } from "../../protocol/policy/personal-folders.ts";
import type { UserAccount, UserAccounts } from "../ports/user-accounts.ts";
import { type RegistryCalls, registryCalls, registryRoots } from "./advapi32-registry.ts";

const profileList = String.raw`SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList`;
const shellFolders = String.raw`Software\Microsoft\Windows\CurrentVersion\Explorer\User Shell Folders`;
/** Accounts of the machine or of a domain, and those of Entra ID; the others belong to services. */
const personSid = /^S-1-(?:5-21|12-1)-[\d-]+$/;
const downloadsId = "{374DE290-123F-4565-9164-39C4925E467B}";

/** Where a folder is by the registry, and by its usual name below the profile. */
const places: Readonly<
  Record<PersonalFolder, { readonly value?: string; readonly usual: string }>
> = {
  desktop: { value: "Desktop", usual: "Desktop" },
  documents: { value: "Personal", usual: "Documents" },
  downloads: { value: downloadsId, usual: "Downloads" },
  music: { value: "My Music", usual: "Music" },
  pictures: { value: "My Pictures", usual: "Pictures" },
  videos: { value: "My Video", usual: "Videos" },
  favorites: { value: "Favorites", usual: "Favorites" },
  // The folder of all three kinds of application data has no value of its own.
  "application-data": { usual: "AppData" },
};

/** Folders that OneDrive has taken over, where the registry of the person can't be read. */
const takenOver: ReadonlySet<string> = new Set([
  "Desktop",
  "Documents",
  "Pictures",
  "Music",
  "Videos",
]);

export interface WindowsUserAccountsOptions {
  /** Such as `C:`. */
  readonly systemDrive: string;
  /** Others than the system's, for tests. */
  readonly registry?: RegistryCalls;
  readonly isFolder?: (path: string) => Promise<boolean>;
}

export class WindowsUserAccounts implements UserAccounts {
  readonly #systemDrive: string;
  readonly #registry: RegistryCalls;
  readonly #isFolder: (path: string) => Promise<boolean>;

  constructor(options: WindowsUserAccountsOptions) {
    this.#systemDrive = options.systemDrive;
    this.#registry = options.registry ?? registryCalls;
    this.#isFolder = options.isFolder ?? isFolder;
  }

  async list(): Promise<readonly UserAccount[]> {
    const accounts: UserAccount[] = [];
    for (const id of this.#registry.keys(registryRoots.machine, profileList)) {
      const home = personSid.test(id) ? this.#homeOf(id) : undefined;
      if (home === undefined || !(await this.#isFolder(home))) continue;
      accounts.push({ name: path.basename(home), id, home, folders: this.#foldersOf(id, home) });
    }
    return accounts.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #homeOf(id: string): string | undefined {
    const key = `${profileList}\\${id}`;
    const text = this.#registry.text(registryRoots.machine, key, "ProfileImagePath");
    return text === undefined ? undefined : this.#expand(text, "");
  }

  #foldersOf(id: string, home: string): UserAccount["folders"] {
    const found: Partial<Record<PersonalFolder, readonly string[]>> = {};
    for (const [kind, { value, usual }] of Object.entries(places)) {
      // Only there while the person is logged on.
      const told =
        value === undefined
          ? undefined
          : this.#registry.text(registryRoots.users, `${id}\\${shellFolders}`, value);
      const place = told === undefined ? undefined : this.#expand(told, home);
      found[kind as PersonalFolder] = place === undefined ? usualPlaces(home, usual) : [place];
    }
    return found;
  }

  /** Replaces the variables that these values use. Undefined if the result is no absolute path. */
  #expand(text: string, home: string): string | undefined {
    const variables: Readonly<Record<string, string>> = {
      systemdrive: this.#systemDrive,
      systemroot: `${this.#systemDrive}\\Windows`,
      userprofile: home,
    };
    const expanded = text.replace(
      /%([^%]+)%/g,
      (whole, name: string) => variables[name.toLowerCase()] ?? whole,
    );
    return /^(?:[A-Za-z]:\\|\\\\)[^%]*$/.test(expanded) ? path.normalize(expanded) : undefined;
  }
}

function usualPlaces(home: string, name: string): readonly string[] {
  const usual = path.join(home, name);
  return takenOver.has(name) ? [usual, path.join(home, "OneDrive", name)] : [usual];
}

async function isFolder(place: string): Promise<boolean> {
  try {
    return (await stat(place)).isDirectory();
  } catch (error) {
    // A home that is there and can't be looked into must become an issue of the backup.
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}
