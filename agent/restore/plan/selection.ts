/** Which entries of a snapshot are wanted: include and exclude patterns, matched along the walk. */
import type { PatternScope, PatternSet } from "../../patterns/pattern-set.ts";

/** Undefined stands for: everything is wanted. */
export type SelectionScope = DirectorySelection | undefined;

/** A verdict on one entry. */
export interface Verdict {
  readonly selected: boolean;
  /** For a directory: something below it may be selected. */
  readonly enter: boolean;
}

const everything: Verdict = { selected: true, enter: true };
const nothing: Verdict = { selected: false, enter: false };

/** The scope of the topmost directory. Patterns are matched against paths from there, with `/` before them. */
export function selectionRoot(
  include: PatternSet | undefined,
  exclude: PatternSet | undefined,
): SelectionScope {
  if (include === undefined && exclude === undefined) return undefined;
  return new DirectorySelection(include?.root, exclude?.root);
}

/** One directory, as the patterns see it. */
export class DirectorySelection {
  readonly #include: PatternScope | undefined;
  readonly #exclude: PatternScope | undefined;

  constructor(include: PatternScope | undefined, exclude: PatternScope | undefined) {
    this.#include = include;
    this.#exclude = exclude;
  }

  /** What is excluded is left out with all that is below it, whatever patterns say about that. */
  judge(name: Uint8Array, isDirectory: boolean): Verdict {
    if (this.#exclude?.matchesEntry(name, 0, name.length) === true) return nothing;
    const include = this.#include;
    if (include === undefined) return everything;
    const selected = include.matchesEntry(name, 0, name.length);
    if (selected || !isDirectory) return selected ? everything : nothing;
    return { selected, enter: include.enter(name, 0, name.length).childMayMatch };
  }

  enter(name: Uint8Array): DirectorySelection {
    return new DirectorySelection(
      this.#include?.enter(name, 0, name.length),
      this.#exclude?.enter(name, 0, name.length),
    );
  }
}

/** `judge` for a scope that may be undefined. */
export function judge(scope: SelectionScope, name: Uint8Array, isDirectory: boolean): Verdict {
  return scope === undefined ? everything : scope.judge(name, isDirectory);
}
