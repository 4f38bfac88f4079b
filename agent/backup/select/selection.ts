/** Which entries take part in a backup: patterns, sizes, file systems, markers, and never Backstay's own places. */
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { type PatternSource, patternOfPath } from "../../patterns/pattern.ts";
import { compilePatterns, type PatternSet } from "../../patterns/pattern-set.ts";
import { DirectoryScope, type SelectionRules, type Verdict, verdict } from "./directory-scope.ts";
import { identityOf, isDirectory, isIdentity, sizeBytesOf } from "./record-identity.ts";
import { type RootNode, rootNodeAt, rootTree, type SelectionRoot } from "./root-tree.ts";
import type { SelectionOptions } from "./selection-options.ts";

export class Selection {
  readonly #rules: SelectionRules;
  readonly #roots: RootNode;

  /**
   * `roots` are all paths that the backup is asked for; one inside another keeps its own file system. Throws USAGE for
   * a bad pattern.
   */
  constructor(options: SelectionOptions, roots: readonly SelectionRoot[]) {
    const patterns = options.patterns;
    this.#rules = {
      exact: setOf(patterns.filter((pattern) => !pattern.caseInsensitive)),
      insensitive: setOf(patterns.filter((pattern) => pattern.caseInsensitive)),
      masks: options.includeMasks === undefined ? undefined : compilePatterns(options.includeMasks),
      ownPlaces: setOf(options.ownPlaces.map((path) => ownPlacePattern(path))),
      ownIdentities: (options.ownPlaceRecords ?? []).map((record) => identityOf(record, 0)),
      markers: options.markers,
      largestBytes: options.excludeLargerThanBytes ?? Number.POSITIVE_INFINITY,
      oneFileSystem: options.oneFileSystem,
    };
    this.#roots = rootTree(roots);
  }

  /** Whether a root itself takes part: patterns are compared with its whole path. */
  verdictOfRoot(root: SelectionRoot): Verdict {
    const { exact, insensitive, ownPlaces, ownIdentities, largestBytes } = this.#rules;
    if (ownPlaces?.matches(root.path) === true) return verdict.ownPlace;
    if (exact?.matches(root.path) === true) return verdict.pattern;
    if (insensitive?.matches(root.path) === true) return verdict.pattern;
    if (isDirectory(root.record, 0)) {
      const isOwn = ownIdentities.some((identity) => isIdentity(identity, root.record, 0));
      return isOwn ? verdict.ownPlace : verdict.taken;
    }
    return sizeBytesOf(root.record, 0) > largestBytes ? verdict.tooLarge : verdict.taken;
  }

  /** The scope of a root that is a directory. */
  root(root: SelectionRoot): DirectoryScope {
    const { exact, insensitive, masks, ownPlaces } = this.#rules;
    const scopes = {
      exact: exact?.scopeOf(root.path),
      insensitive: insensitive?.scopeOf(root.path),
      masks: masks?.scopeOf(root.path),
      ownPlaces: ownPlaces?.scopeOf(root.path),
    };
    const identity = identityOf(root.record, 0);
    const place = {
      parent: undefined,
      identity,
      rootDevice: identity.device,
      roots: rootNodeAt(this.#roots, root.path),
    };
    return new DirectoryScope(this.#rules, scopes, place, false);
  }
}

function ownPlacePattern(path: Uint8Array): PatternSource {
  // Any other path would leave out nothing, or everything.
  if (path[0] !== 0x2f || path.length === 1) {
    const text = new TextDecoder().decode(path);
    throw new BackstayError("INTERNAL", { ownPlace: text, reason: "not an absolute path" });
  }
  return { text: patternOfPath(path), caseInsensitive: false };
}

/** A set of the patterns, undefined if it would match nothing. */
function setOf(patterns: readonly PatternSource[]): PatternSet | undefined {
  const set = compilePatterns(patterns);
  return set.isEmpty ? undefined : set;
}
