/** What the scan counts, and what it tells the main thread. */

/** Most issues that are passed on one by one; more are only counted. */
const issuesMax = 10_000;
/** Most omissions that are passed on. */
const omissionsMax = 1000;

export interface ScanIssue {
  readonly kind: "issue";
  readonly path: Uint8Array;
  readonly during: "scan" | "archival";
  readonly code: string;
  readonly message: string;
}

/** Why something is left out, or stored as an empty folder, that no rule of the request names. */
export type OmissionReason = "own-place" | "loop" | "pseudo-file-system";

export interface ScanOmission {
  readonly kind: "omission";
  readonly path: Uint8Array;
  readonly reason: OmissionReason;
}

export interface ScanCounts {
  filesNew: number;
  filesChanged: number;
  filesUnmodified: number;
  dirsNew: number;
  dirsChanged: number;
  dirsUnmodified: number;
  /** Files with a node. */
  files: number;
  /** Bytes of their content. */
  bytes: number;
  issues: number;
  targetsFound: number;
  /** Targets that are empty and were not in the previous run. */
  targetsEmptied: number;
}

/** Answer of the scan: everything is read and every tree sent. */
export interface ScanDone {
  readonly kind: "scanned";
  readonly tree: Uint8Array;
  readonly topBlock: number;
  readonly counts: ScanCounts;
}

export class ScanReport {
  readonly counts: ScanCounts = {
    filesNew: 0,
    filesChanged: 0,
    filesUnmodified: 0,
    dirsNew: 0,
    dirsChanged: 0,
    dirsUnmodified: 0,
    files: 0,
    bytes: 0,
    issues: 0,
    targetsFound: 0,
    targetsEmptied: 0,
  };
  readonly #send: (told: ScanIssue | ScanOmission) => void;
  #omissions = 0;

  constructor(send: (told: ScanIssue | ScanOmission) => void) {
    this.#send = send;
  }

  issue(
    path: Uint8Array,
    during: ScanIssue["during"],
    problem: { code: string; message: string },
  ): void {
    this.counts.issues += 1;
    if (this.counts.issues > issuesMax) return;
    this.#send({ kind: "issue", path, during, code: problem.code, message: problem.message });
  }

  omission(path: Uint8Array, reason: OmissionReason): void {
    this.#omissions += 1;
    if (this.#omissions <= omissionsMax) this.#send({ kind: "omission", path, reason });
  }
}

/** `directory/name`. */
export function joinPath(directory: Uint8Array, name: Uint8Array): Uint8Array {
  const needsSlash = directory.length > 0 && directory[directory.length - 1] !== 0x2f;
  const path = new Uint8Array(directory.length + (needsSlash ? 1 : 0) + name.length);
  path.set(directory);
  if (needsSlash) path[directory.length] = 0x2f;
  path.set(name, path.length - name.length);
  return path;
}
