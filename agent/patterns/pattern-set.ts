/**
 * A list of patterns, matched along a walk from directory to directory, so that no path is ever put together.
 *
 * The last pattern of the list that matches an entry, or any directory above it, decides: the entry is matched unless
 * that pattern is negated. A scope is a directory with the beginnings of patterns that its path has reached, as nodes
 * of a trie. Directories that reached the same share one scope, and nearly all have reached none.
 */
import { foldName } from "./case-fold.ts";
import { NameTable, type NameTableEntry } from "./name-table.ts";
import {
  anyDirectories,
  badPattern,
  type ParsedPattern,
  type PatternSource,
  parsePattern,
} from "./pattern.ts";
import { buildTrie, type NameNode, type TrieNode } from "./pattern-trie.ts";

/** How many patterns one set may have. */
export const maxPatterns = 100_000;

/** How many scopes are kept for directories that look the same to the patterns. */
const maxSharedScopes = 4096;

/** Tables of patterns for names as they are and for folded names; a table that would be empty is absent. */
interface NameTables {
  readonly exact: NameTable | undefined;
  readonly folded: NameTable | undefined;
}

/** Compiles a list, in which a later pattern wins over an earlier one. Throws USAGE for the first bad pattern. */
export function compilePatterns(sources: readonly PatternSource[]): PatternSet {
  if (sources.length > maxPatterns) {
    throw badPattern(sources[maxPatterns], `more than ${maxPatterns} patterns`);
  }
  return new PatternSet(
    sources.map((source) => parsePattern(source)).filter((pattern) => pattern !== undefined),
  );
}

export class PatternSet {
  /** The scope of the topmost directory, `/`. */
  readonly root: PatternScope;
  /** True if the list has no pattern, so that nothing ever matches. */
  readonly isEmpty: boolean;
  readonly #rules: PatternRules;

  constructor(patterns: readonly ParsedPattern[]) {
    this.#rules = new PatternRules(patterns);
    this.isEmpty = patterns.length === 0;
    this.root = this.#rules.root;
  }

  /** True if the entry at an absolute path is matched. For single paths; a walk uses scopes. */
  matches(path: Uint8Array): boolean {
    return this.scopeOf(path).isMatched;
  }

  /** The scope of the directory at an absolute path. Empty components are passed over; `.` and `..` are names. */
  scopeOf(path: Uint8Array): PatternScope {
    let scope = this.root;
    let start = 0;
    for (let at = 0; at <= path.length; at++) {
      if (at < path.length && path[at] !== 0x2f) continue;
      if (at > start) scope = scope.enter(path, start, at);
      start = at + 1;
    }
    return scope;
  }
}

/** One directory as the patterns see it. */
export class PatternScope {
  /** True if the directory itself is matched. */
  readonly isMatched: boolean;
  /** True if anything below the directory may be matched. */
  readonly childMayMatch: boolean;
  readonly #rules: PatternRules;
  /** The last pattern that matched the directory or one above it, or -1. */
  readonly #inherited: number;
  /** The nodes from which a pattern may go on below. */
  readonly #reached: readonly TrieNode[];
  /** True if nothing below can change the verdict any more. */
  readonly #isSettled: boolean;
  readonly #ends: NameTables;
  readonly #steps: NameTables;

  constructor(rules: PatternRules, inherited: number, reached: readonly TrieNode[]) {
    this.#rules = rules;
    this.#inherited = inherited;
    this.#reached = reached;
    this.isMatched = rules.verdictOf(inherited);
    this.#isSettled = inherited >= rules.settledFrom;
    this.childMayMatch = this.isMatched || rules.mayMatchAfter(inherited, reached);
    this.#ends = endsBelow(reached);
    this.#steps = stepsBelow(reached);
  }

  /** True if the entry `names[start, end)` of this directory is matched. The name must not be empty. */
  matchesEntry(names: Uint8Array, start: number, end: number): boolean {
    if (this.#isSettled) return this.isMatched;
    return this.#rules.verdictOf(this.#lastMatch(names, start, end));
  }

  /** The scope of the subdirectory `names[start, end)`. The name must not be empty. */
  enter(names: Uint8Array, start: number, end: number): PatternScope {
    if (this.#isSettled) return this;
    const inherited = this.#lastMatch(names, start, end);
    const rules = this.#rules;
    const taken: number[] = [];
    for (const node of this.#reached) if (node.part === anyDirectories) taken.push(node.id);
    rules.collect(rules.floatingSteps, names, start, end, taken);
    rules.collect(this.#steps, names, start, end, taken);
    return rules.scopeAt(inherited, taken);
  }

  #lastMatch(names: Uint8Array, start: number, end: number): number {
    const rules = this.#rules;
    const best = rules.highest(rules.floatingEnds, names, start, end, this.#inherited);
    return rules.highest(this.#ends, names, start, end, best);
  }
}

/** What all scopes of a set share. */
class PatternRules {
  readonly root: PatternScope;
  /** From this pattern on all agree, so that a match of one of them settles the verdict. */
  readonly settledFrom: number;
  /** The first parts of patterns that may begin anywhere: those of one part, and the others. */
  readonly floatingEnds: NameTables;
  readonly floatingSteps: NameTables;
  readonly #isNegated: readonly boolean[];
  readonly #nodes: readonly TrieNode[];
  readonly #floating: TrieNode;
  /** The scope of a directory that has reached nothing. */
  readonly #plain: PatternScope;
  readonly #shared = new Map<string, PatternScope>();
  #foldBuffer = new Uint8Array(1024);

  constructor(patterns: readonly ParsedPattern[]) {
    this.#isNegated = patterns.map((pattern) => pattern.negated);
    this.settledFrom =
      1 + this.#isNegated.findLastIndex((negated) => negated !== this.#isNegated.at(-1));
    const { anchored, floating, nodes } = buildTrie(patterns);
    this.#nodes = nodes;
    this.#floating = floating;
    this.floatingEnds = endsBelow([floating]);
    this.floatingSteps = stepsBelow([floating]);
    this.#plain = new PatternScope(this, -1, []);
    this.root = anchored.last < 0 ? this.#plain : new PatternScope(this, -1, [anchored]);
  }

  /** Whether an entry is matched if this pattern is the last that matched; -1 for none. */
  verdictOf(pattern: number): boolean {
    return pattern >= 0 && !this.#isNegated[pattern];
  }

  /** True if a pattern after `inherited` that is not negated may match below a directory that has reached these. */
  mayMatchAfter(inherited: number, reached: readonly TrieNode[]): boolean {
    return (
      this.#floating.lastPositive > inherited ||
      reached.some((node) => node.lastPositive > inherited)
    );
  }

  /** The last pattern among `floor` and those of the tables that match the name. */
  highest(
    tables: NameTables,
    names: Uint8Array,
    start: number,
    end: number,
    floor: number,
  ): number {
    let best = floor;
    if (best >= this.settledFrom) return best;
    if (tables.exact !== undefined) {
      best = tables.exact.highest(names, start, end, best, this.settledFrom);
    }
    if (tables.folded !== undefined && best < this.settledFrom) {
      const length = this.#fold(names, start, end);
      best = tables.folded.highest(this.#foldBuffer, 0, length, best, this.settledFrom);
    }
    return best;
  }

  /** Adds the numbers of all patterns of the tables that match the name. */
  collect(
    tables: NameTables,
    names: Uint8Array,
    start: number,
    end: number,
    found: number[],
  ): void {
    tables.exact?.collect(names, start, end, found);
    if (tables.folded !== undefined) {
      const length = this.#fold(names, start, end);
      tables.folded.collect(this.#foldBuffer, 0, length, found);
    }
  }

  /** The scope of a directory that has reached the nodes `ids`; those that can't win any more are dropped. */
  scopeAt(inherited: number, ids: readonly number[]): PatternScope {
    if (ids.length === 0 && inherited === -1) return this.#plain;
    const reached = new Set<TrieNode>();
    for (const id of ids) {
      // `**` may stand for no directory at all.
      for (const node of [this.#nodes[id], this.#nodes[id].anyDirectoriesChild]) {
        if (node !== undefined && node.last > inherited) reached.add(node);
      }
    }
    const sorted = [...reached].sort((a, b) => a.id - b.id);
    const key = `${inherited} ${sorted.map((node) => node.id).join(" ")}`;
    const known = this.#shared.get(key);
    if (known !== undefined) return known;
    const scope = new PatternScope(this, inherited, sorted);
    if (this.#shared.size >= maxSharedScopes) this.#shared.clear();
    this.#shared.set(key, scope);
    return scope;
  }

  #fold(names: Uint8Array, start: number, end: number): number {
    const room = (end - start) * 2 + 4;
    if (this.#foldBuffer.length < room) this.#foldBuffer = new Uint8Array(room);
    return foldName(names, start, end, this.#foldBuffer);
  }
}

/** Of the next parts after these nodes, those that end a pattern, by the pattern. */
function endsBelow(nodes: readonly TrieNode[]): NameTables {
  return tablesOf(
    nodes,
    (child) => child.end >= 0,
    (child) => child.end,
  );
}

/** Of the next parts after these nodes, those from which a pattern goes on, by the node. */
function stepsBelow(nodes: readonly TrieNode[]): NameTables {
  return tablesOf(
    nodes,
    (child) => child.last >= 0,
    (child) => child.id,
  );
}

function tablesOf(
  nodes: readonly TrieNode[],
  isWanted: (child: NameNode) => boolean,
  numberOf: (child: NameNode) => number,
): NameTables {
  const exact: NameTableEntry[] = [];
  const folded: NameTableEntry[] = [];
  for (const child of nodes.flatMap((node) => node.children)) {
    if (!isWanted(child)) continue;
    const entries = child.caseInsensitive ? folded : exact;
    entries.push({ pattern: child.part, value: numberOf(child) });
  }
  return {
    exact: exact.length === 0 ? undefined : new NameTable(exact),
    folded: folded.length === 0 ? undefined : new NameTable(folded),
  };
}
