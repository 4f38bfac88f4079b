/** The personal files of users: which of their folders take part, and which don't. */
import type { UserAccount } from "../../platform/ports/user-accounts.ts";
import { personalFolders } from "../../protocol/policy/personal-folders.ts";
import type { Policy } from "../../protocol/policy/policy.ts";

export interface PersonalScope {
  /** Some may not exist. */
  readonly paths: readonly string[];
  /** Folders inside of these paths that are left out. */
  readonly leftOut: readonly string[];
}

type PersonalFiles = NonNullable<Policy["source"]["personalFiles"]>;

/**
 * The chosen folders of each user, wherever they lie. With `otherFiles` the whole home, and of the folders that are
 * kept elsewhere the chosen ones; what is not chosen is left out.
 */
export function personalScope(wanted: PersonalFiles, users: readonly UserAccount[]): PersonalScope {
  const paths: string[] = [];
  const leftOut: string[] = [];
  for (const { home, folders } of users) {
    if (wanted.otherFiles) paths.push(home);
    for (const kind of personalFolders) {
      const places = folders[kind] ?? [];
      if (wanted.folders.includes(kind)) paths.push(...places);
      else if (wanted.otherFiles) leftOut.push(...places);
    }
  }
  // A folder of two kinds takes part if one of them does.
  const kept = new Set(paths);
  return { paths: [...kept], leftOut: [...new Set(leftOut)].filter((path) => !kept.has(path)) };
}
