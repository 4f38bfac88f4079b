/** What a backup leaves out, as plain data that can be sent to the thread that scans. */
import type { PatternSource } from "../../patterns/pattern.ts";
import { type Environment, parseExcludeFile } from "./exclude-file.ts";
import type { ListFile } from "./list-text.ts";
import { cacheMarker, type MarkerRule, parseMarkerRule } from "./marker.ts";

export interface SelectionOptions {
  /**
   * Patterns of what is left out. Those that ignore case and those that don't are two lists: in each the last pattern
   * that matches wins, and what either list matches is left out.
   */
  readonly patterns: readonly PatternSource[];
  /** What is no directory is left out unless one of these matches it. Absent: nothing is left out for that. */
  readonly includeMasks?: readonly PatternSource[];
  readonly markers: readonly MarkerRule[];
  /** Everything but directories is left out if it is larger. */
  readonly excludeLargerThanBytes?: number;
  /** Stay on the file systems of the roots. */
  readonly oneFileSystem: boolean;
  /** Absolute paths of the repository, the cache and the like; never backed up. */
  readonly ownPlaces: readonly Uint8Array[];
  /** Stat records of such places, by which they are known under any other path too. */
  readonly ownPlaceRecords?: readonly Uint8Array[];
}

/** The options of the command line, as they are typed. */
export interface SelectionArguments {
  readonly excludes: readonly string[];
  readonly caseInsensitiveExcludes: readonly string[];
  readonly excludeFiles: readonly ListFile[];
  readonly caseInsensitiveExcludeFiles: readonly ListFile[];
  readonly excludeCaches: boolean;
  /** Each `NAME` or `NAME:HEADER`. */
  readonly excludeIfPresent: readonly string[];
}

/** Reads the pattern files and marker rules. Throws USAGE; bad patterns are found when a Selection is made. */
export function collectExcludes(
  given: SelectionArguments,
  environment: Environment,
): Pick<SelectionOptions, "patterns" | "markers"> {
  const typed = (texts: readonly string[], caseInsensitive: boolean): PatternSource[] => {
    const origin = caseInsensitive ? "--iexclude" : "--exclude";
    return texts.map((text) => ({ text, caseInsensitive, origin }));
  };
  const read = (files: readonly ListFile[], caseInsensitive: boolean): PatternSource[] =>
    files.flatMap((file) => parseExcludeFile(file, caseInsensitive, environment));
  const markers = given.excludeIfPresent.map((text) => parseMarkerRule(text));
  return {
    patterns: [
      ...typed(given.excludes, false),
      ...read(given.excludeFiles, false),
      ...typed(given.caseInsensitiveExcludes, true),
      ...read(given.caseInsensitiveExcludeFiles, true),
    ],
    markers: given.excludeCaches ? [...markers, cacheMarker] : markers,
  };
}
