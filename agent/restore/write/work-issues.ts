/** Issues of one job of a worker, bounded, on their way to the main thread. */
import { FileError } from "../../../platform/ports/source-files.ts";
import type { RestorePlan } from "../plan/restore-plan.ts";
import { type IssueKind, type RestoreIssue, showPath } from "../restore-issues.ts";

/** A job may fail on every one of its entries; this many are told in full. */
const toldMax = 500;

export interface JobIssues {
  readonly issues: RestoreIssue[];
  /** Beyond those in `issues`. */
  readonly moreErrors: number;
  readonly moreWarnings: number;
}

export class WorkIssues {
  readonly #plan: RestorePlan;
  #issues: RestoreIssue[] = [];
  #moreErrors = 0;
  #moreWarnings = 0;

  constructor(plan: RestorePlan) {
    this.#plan = plan;
  }

  error(kind: IssueKind, row: number, text: string): void {
    this.#add("error", kind, row, text);
  }

  warning(kind: IssueKind, row: number, text: string): void {
    this.#add("warning", kind, row, text);
  }

  /** What was noted since the last call. */
  take(): JobIssues {
    const taken = {
      issues: this.#issues,
      moreErrors: this.#moreErrors,
      moreWarnings: this.#moreWarnings,
    };
    this.#issues = [];
    this.#moreErrors = 0;
    this.#moreWarnings = 0;
    return taken;
  }

  #add(severity: RestoreIssue["severity"], kind: IssueKind, row: number, text: string): void {
    if (this.#issues.length < toldMax) {
      const path = showPath(this.#plan.pathOf(row));
      this.#issues.push({ severity, kind, path, text });
    } else if (severity === "error") this.#moreErrors += 1;
    else this.#moreWarnings += 1;
  }
}

const explanations: Record<string, string> = {
  EACCES: "permission denied",
  EPERM: "not permitted (is it immutable, or owned by someone else?)",
  EEXIST: "something else has taken this name meanwhile, or has an equal name",
  ELOOP: "a symbolic link stands in the way",
  ENOTDIR: "something that is no folder stands in the way",
  ENOTEMPTY: "a folder that is not empty stands in the way",
  EISDIR: "a folder stands in the way",
  EROFS: "the file system is read-only",
  ENAMETOOLONG: "the name is too long for this file system",
  EINVAL: "the file system does not take this name or value",
  ENOTSUP: "the file system does not support it",
  EOPNOTSUPP: "the file system does not support it",
  ETXTBSY: "it is a program that is running",
  EFBIG: "the file system does not take files this large",
  EXDEV: "another file system is mounted there",
};

/** Why a call failed, in words. */
export function explain(error: FileError): string {
  return `${explanations[error.code] ?? "failed"} (${error.call}: ${error.code})`;
}

/** The target can't take more: going on with other entries makes no sense. */
export class TargetFullError extends Error {
  override readonly name = "TargetFullError";
  readonly row: number;
  constructor(row: number) {
    super("the target is full");
    this.row = row;
  }
}

/** Returns a FileError as it is; anything else is thrown, and so is a full disk as TargetFullError. */
export function fileError(error: unknown, row: number): FileError {
  if (!(error instanceof FileError)) throw error;
  if (error.code === "ENOSPC" || error.code === "EDQUOT") throw new TargetFullError(row);
  return error;
}
