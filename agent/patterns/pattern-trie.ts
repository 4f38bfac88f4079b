/** All patterns of a list merged by their common beginnings, so that a walk follows each beginning once. */
import type { NamePattern } from "./name-pattern.ts";
import { anyDirectories, type ParsedPattern, type PatternPart } from "./pattern.ts";

/** A beginning of one or more patterns: the parts from the root of the trie to here. */
export interface TrieNode {
  /** Unique in its trie. */
  readonly id: number;
  /** The part that leads here; undefined for a root. */
  readonly part: PatternPart | undefined;
  readonly caseInsensitive: boolean;
  /** The last pattern of the list that ends here, or -1. */
  readonly end: number;
  /** The last pattern of the list that begins like this and goes on, or -1. */
  readonly last: number;
  /** As `last`, of the patterns that are not negated. */
  readonly lastPositive: number;
  /** Those whose part is a name pattern. */
  readonly children: readonly NameNode[];
  /** The child whose part is `**`. */
  readonly anyDirectoriesChild: TrieNode | undefined;
}

/** A node that one component leads to. */
export interface NameNode extends TrieNode {
  readonly part: NamePattern;
}

export interface PatternTrie {
  /** Of patterns that begin at the topmost directory. */
  readonly anchored: TrieNode;
  /** Of patterns that begin anywhere. */
  readonly floating: TrieNode;
  /** By id. */
  readonly nodes: readonly TrieNode[];
}

/** Builds the trie of a list; patterns are known by their places in it. */
export function buildTrie(patterns: readonly ParsedPattern[]): PatternTrie {
  const nodes: GrowingNode[] = [];
  const anchored = new GrowingNode(nodes, undefined, false);
  const floating = new GrowingNode(nodes, undefined, false);
  for (const [index, pattern] of patterns.entries()) {
    let node = pattern.anchored ? anchored : floating;
    for (const part of pattern.parts) {
      node.last = index;
      if (!pattern.negated) node.lastPositive = index;
      node = node.childFor(nodes, part, pattern.caseInsensitive);
    }
    node.end = index;
  }
  return { anchored, floating, nodes };
}

class GrowingNode implements TrieNode {
  readonly id: number;
  readonly part: PatternPart | undefined;
  readonly caseInsensitive: boolean;
  readonly children: NameNode[] = [];
  end = -1;
  last = -1;
  lastPositive = -1;
  anyDirectoriesChild: GrowingNode | undefined;
  readonly #byText = new Map<string, GrowingNode>();

  constructor(nodes: GrowingNode[], part: PatternPart | undefined, caseInsensitive: boolean) {
    this.id = nodes.length;
    this.part = part;
    this.caseInsensitive = caseInsensitive;
    nodes.push(this);
  }

  childFor(nodes: GrowingNode[], part: PatternPart, caseInsensitive: boolean): GrowingNode {
    if (part === anyDirectories) {
      this.anyDirectoriesChild ??= new GrowingNode(nodes, part, false);
      return this.anyDirectoriesChild;
    }
    const key = `${caseInsensitive ? "i" : "s"}${part.text}`;
    const known = this.#byText.get(key);
    if (known !== undefined) return known;
    const child = new GrowingNode(nodes, part, caseInsensitive);
    this.#byText.set(key, child);
    this.children.push(child as GrowingNode & NameNode);
    return child;
  }
}
