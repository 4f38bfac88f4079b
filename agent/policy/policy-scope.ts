/** What a policy backs up on one machine at one moment: its scope as the engine takes it. */
import type { UserAccount } from "../../platform/ports/user-accounts.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { GuardRails } from "../../protocol/policy/guard-rails.ts";
import type { Policy } from "../../protocol/policy/policy.ts";
import type { BackupWork } from "../../protocol/run-order.ts";
import { storeAddress } from "../../storage/store-address.ts";
import { isBelowAny } from "./guard-rail-objections.ts";
import { expandPath, expandPattern, isPerUser, patternOf } from "./path-variables.ts";
import { personalScope } from "./personal-files.ts";

/** What must be known of the machine. */
export interface ScopeFacts {
  readonly hostName: string;
  readonly users: readonly UserAccount[];
  /** A variable of the service's environment. */
  readonly environment: (name: string) => string | undefined;
  /** Whether there is anything at a path; false for what is no absolute path on this system. */
  readonly exists: (path: string) => boolean;
  /** State, caches, and the folders of all local repositories (`localRepositories`). Absolute. */
  readonly ownPlaces: readonly string[];
  readonly guardRails: GuardRails;
}

export interface PolicyScope {
  /** Its `paths` are empty if nothing of the source exists. */
  readonly work: BackupWork;
  /** Listed paths that do not exist, for a warning or an error as `source.missingPath` says. */
  readonly missing: readonly MissingPath[];
}

export interface MissingPath {
  /** As people read it: `source.paths[0]`. */
  readonly setting: string;
  /** As it is written in the policy, but with variables of the environment replaced. */
  readonly path: string;
}

/**
 * Resolves variables, users and their folders. POLICY_SCOPE if a variable is not set or does not make an absolute
 * path; POLICY_RESTRICTED if a path lies outside of what the machine's guard rails allow.
 *
 * A path of users is missing if no user has it; personal folders never are: few people have all of them.
 */
export function resolveScope(policy: Policy, facts: ScopeFacts): PolicyScope {
  const { source } = policy;
  const values = { homes: facts.users.map(({ home }) => home), environment: facts.environment };
  const paths: string[] = [];
  const missing: MissingPath[] = [];
  for (const [index, written] of source.paths.entries()) {
    const candidates = expandPath(written, values).map(checkedPath);
    const existing = candidates.filter((path) => facts.exists(path));
    paths.push(...existing);
    if (existing.length === 0) {
      const path = isPerUser(written) ? written : candidates[0];
      missing.push({ setting: `source.paths[${index}]`, path });
    }
  }
  const personal =
    source.personalFiles === undefined
      ? { paths: [], leftOut: [] }
      : personalScope(source.personalFiles, facts.users);
  paths.push(...personal.paths.map(checkedPath).filter((path) => facts.exists(path)));
  const { sources } = facts.guardRails;
  const forbidden = sources && paths.find((path) => !isBelowAny(path, sources));
  if (forbidden !== undefined)
    throw new BackstayError("POLICY_RESTRICTED", {
      policy: policy.name,
      path: forbidden,
      problem: "is none of the places that may be backed up on this machine",
    });
  const patterns = (written: readonly string[]): string[] =>
    written.flatMap((text) => expandPattern(text, values));
  return {
    missing,
    work: {
      kind: "backup",
      hostName: facts.hostName,
      paths: [...new Set(paths)].map((path) => Buffer.from(path).toString("base64")),
      tags: policy.tags,
      // Folders that are not chosen come last, so that no pattern takes them back.
      exclude: [...patterns(source.exclude), ...personal.leftOut.map(patternOf)],
      excludeIgnoringCase: patterns(source.excludeIgnoringCase),
      ...(source.includeMasks.length === 0 ? {} : { includeMasks: patterns(source.includeMasks) }),
      excludeCaches: source.excludeCaches,
      excludeIfPresent: source.excludeIfPresent,
      ...(source.excludeLargerThan === undefined
        ? {}
        : { excludeLargerThanBytes: source.excludeLargerThan }),
      oneFileSystem: source.oneFileSystem,
      ownPlaces: facts.ownPlaces,
      compression: policy.compression,
    },
  };
}

/** The folders of the repositories of policies that lie on this machine: no policy backs them up. */
export function localRepositories(policies: Iterable<Policy>): string[] {
  const folders = [...policies].flatMap(({ destination }) => {
    const { scheme, place } = storeAddress(destination.repository);
    return scheme === "local" ? [place] : [];
  });
  return [...new Set(folders)];
}

/** Without slashes at the end and repeated ones. POLICY_SCOPE if it is not absolute. */
function checkedPath(path: string): string {
  if (!/^(?:\/|[a-z]:[\\/]|\\\\)/i.test(path))
    throw new BackstayError("POLICY_SCOPE", { path, problem: "is no absolute path" });
  return path.replaceAll(/\/{2,}/g, "/").replace(/(?<=.)\/$/, "");
}
