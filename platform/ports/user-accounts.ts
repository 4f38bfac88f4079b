/** The people who use a machine, as far as backups must know them. */
import type { PersonalFolder } from "../../protocol/policy/personal-folders.ts";

export interface UserAccount {
  readonly name: string;
  /** The system's own id of the account: a number on Unix, a SID on Windows. */
  readonly id: string;
  /** Absolute. */
  readonly home: string;
  /** Absolute paths of the folders of each kind, wherever the user put them; some may not exist. Kinds without one are absent. */
  readonly folders: Readonly<Partial<Record<PersonalFolder, readonly string[]>>>;
}

export interface UserAccounts {
  /** Accounts of people whose home exists, by name; accounts of the system and of services are left out. */
  list(): Promise<readonly UserAccount[]>;
}
