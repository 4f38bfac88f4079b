/** What policies back up, as places that can be compared: whether a new bundle would quietly back up far less. */
import type { Policy } from "../../protocol/policy/policy.ts";

/**
 * True if more than half of what was included before is included no longer. Of nothing, nothing can be lost. A folder
 * counts as included if one above it is, and everything is if the entire computer is.
 */
export function losesMostPlaces(before: readonly Policy[], after: readonly Policy[]): boolean {
  const places = new Set(before.flatMap(includedPlaces));
  const remaining = new Set(after.flatMap(includedPlaces));
  if (remaining.has(everything)) return false;
  const lost = [...places].filter((place) => !isIncluded(place, remaining));
  return lost.length * 2 > places.size;
}

const everything = "computer:";

/** Each with what kind it is, so that no folder is taken for a volume of its name. */
function includedPlaces({ source }: Policy): string[] {
  if (source.mode === "entire-computer") return [everything];
  if (source.mode === "volumes")
    return source.volumes.length > 0
      ? source.volumes.map((name) => `volume:${name}`)
      : [everything];
  const personal = source.personalFiles;
  return [
    ...source.paths.map((path) => `path:${path}`),
    ...(personal?.folders ?? []).map((folder) => `personal:${folder}`),
    ...(personal?.otherFiles === true ? ["personal:others"] : []),
  ];
}

function isIncluded(place: string, remaining: ReadonlySet<string>): boolean {
  if (remaining.has(place)) return true;
  if (!place.startsWith("path:")) return false;
  const parts = partsOf(place);
  return [...remaining].some(
    (above) =>
      above.startsWith("path:") && partsOf(above).every((part, index) => parts[index] === part),
  );
}

/** On Unix a backslash is a character like any other. */
function partsOf(place: string): string[] {
  const separator = place.startsWith("path:/") ? "/" : /[/\\]/;
  return place.split(separator).filter((part) => part !== "");
}
