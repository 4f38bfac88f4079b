/** What a policy asks for and the owner of the machine does not allow. */
import { repositoryScheme } from "../../protocol/control/bundle.ts";
import type { GuardRails } from "../../protocol/policy/guard-rails.ts";
import type { Policy } from "../../protocol/policy/policy.ts";
import type { Objection } from "../../protocol/policy/policy-mistake.ts";
import { storeAddress } from "../../storage/store-address.ts";

const scriptNames = ["preJob", "postJob", "preFreeze", "postThaw"] as const;

/**
 * The settings that go beyond the guard rails. Paths that begin with a variable are not among them: only when they are
 * resolved is it known where they lead.
 */
export function guardRailObjections(policy: Policy, rails: GuardRails): Objection[] {
  const found: Objection[] = [];
  const { sources, scripts } = rails;
  const { repository } = policy.destination;
  // What a server's repository stands for is known at the run only.
  if (!repository.startsWith(repositoryScheme) && !isAllowedDestination(repository, rails))
    found.push({
      path: ["destination", "repository"],
      problem: "is none of the places that this machine may send backups to",
    });
  if (sources !== undefined)
    for (const [index, path] of policy.source.paths.entries())
      if (!path.includes("${") && !isBelowAny(path, sources))
        found.push({
          path: ["source", "paths", index],
          problem: "is none of the places that may be backed up on this machine",
        });
  for (const name of scriptNames) {
    const [program] = policy.scripts[name]?.command ?? [];
    if (program !== undefined && scripts?.includes(program) === false)
      found.push({
        path: ["scripts", name, "command"],
        problem: "is none of the programs that scripts may start on this machine",
      });
  }
  return found;
}

/** True if the machine may send backups to the place, as --repo takes it. */
export function isAllowedDestination(repository: string, { destinations }: GuardRails): boolean {
  return destinations === undefined || isBelowAny(placeOf(repository), destinations.map(placeOf));
}

/** True if `path` is one of the places or lies in one. `..` is never below anything. */
export function isBelowAny(path: string, places: readonly string[]): boolean {
  if (/(?:^|[/\\])\.\.(?:[/\\]|$)/.test(path)) return false;
  const parts = partsOf(path);
  return places.some((place) => partsOf(place).every((part, index) => parts[index] === part));
}

/** On Unix a backslash is a character like any other. */
function partsOf(path: string): string[] {
  const separator = path.startsWith("/") ? "/" : "[/\\\\]";
  return path.replace(new RegExp(`${separator}+$`), "").split(new RegExp(`${separator}+`));
}

/** `local:/x` and `/x` are the same place. */
function placeOf(address: string): string {
  const { scheme, place } = storeAddress(address);
  return scheme === "local" ? place : address;
}
