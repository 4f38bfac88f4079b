/** Picks the adapter that knows this system's users. */
import { DarwinUserAccounts } from "./darwin/user-accounts.ts";
import { LinuxUserAccounts } from "./linux/user-accounts.ts";
import type { UserAccounts } from "./ports/user-accounts.ts";
import { WindowsUserAccounts } from "./windows/user-accounts.ts";

/** `environment` is the service's. */
export function openUserAccounts(
  environment: Readonly<Record<string, string | undefined>>,
): UserAccounts {
  switch (process.platform) {
    case "win32":
      return new WindowsUserAccounts({ systemDrive: environment["SystemDrive"] ?? "C:" });
    case "darwin":
      return new DarwinUserAccounts();
    default:
      return new LinuxUserAccounts();
  }
}
