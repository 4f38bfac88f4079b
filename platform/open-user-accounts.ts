/** Picks the adapter that knows this system's users. */
import { LinuxUserAccounts } from "./linux/user-accounts.ts";
import { macProfiles, ProfileFolders, windowsProfiles } from "./node/profile-folders.ts";
import type { UserAccounts } from "./ports/user-accounts.ts";

/** `environment` is the service's. */
export function openUserAccounts(
  environment: Readonly<Record<string, string | undefined>>,
): UserAccounts {
  switch (process.platform) {
    case "win32":
      return new ProfileFolders(windowsProfiles(environment["SystemDrive"] ?? "C:"));
    case "darwin":
      return new ProfileFolders(macProfiles);
    default:
      return new LinuxUserAccounts();
  }
}
