/** What a restore has to tell about single entries: exact counts, and as much of the list as fits in memory. */

export interface RestoreIssue {
  /** An `error` means that something of the snapshot is not in the target; a `warning`, that a detail is not. */
  readonly severity: "error" | "warning";
  readonly kind: IssueKind;
  /** Path below the target, for people; "" for the whole restore. */
  readonly path: string;
  readonly text: string;
}

export type IssueKind =
  /** Data or folder lists that the repository does not hold as they should be. */
  | "damaged"
  /** A name or node that is never restored: dangerous, twice, malformed. */
  | "refused"
  /** Something in the target that could not be made, changed or removed. */
  | "target"
  /** Owner, times, attributes and the like. */
  | "metadata"
  /** Found different by verification. */
  | "different";

/** How many issues a report keeps; all are counted and told. */
const keptMax = 1000;

export class IssueList {
  readonly kept: RestoreIssue[] = [];
  errors = 0;
  warnings = 0;
  readonly #tell: (issue: RestoreIssue) => void;

  /** `tell` hears of every issue, at once. */
  constructor(tell: (issue: RestoreIssue) => void = () => undefined) {
    this.#tell = tell;
  }

  add(issue: RestoreIssue): void {
    if (issue.severity === "error") this.errors += 1;
    else this.warnings += 1;
    if (this.kept.length < keptMax) this.kept.push(issue);
    this.#tell(issue);
  }
}

/** A hostile snapshot may have paths of a megabyte. */
const shownBytesMax = 4096;

/**
 * Path bytes as text for people: bytes that are no UTF-8 show as U+FFFD, control characters as escapes, the
 * middle of a very long path not at all.
 */
export function showPath(path: Uint8Array): string {
  if (path.length > shownBytesMax) {
    const half = shownBytesMax / 2;
    return `${showPath(path.subarray(0, half))} … ${showPath(path.subarray(path.length - half))}`;
  }
  const text = Buffer.from(path.buffer, path.byteOffset, path.length).toString();
  return text.replace(/\p{Cc}/gu, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
