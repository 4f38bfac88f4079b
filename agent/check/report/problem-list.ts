/** Gathers what a check finds, within bounds: a repository may be damaged everywhere. */
import {
  type CheckEvents,
  type CheckedObject,
  type CheckHint,
  type CheckProblem,
  type CheckProblemKind,
  detailsMax,
  examplesMax,
  type HurtPath,
  listedMax,
  problemsMax,
} from "./check-report.ts";

/** A problem whose harm is still being counted. */
export class OpenProblem implements CheckProblem {
  readonly kind: CheckProblemKind;
  readonly object: CheckedObject;
  readonly details: string[] = [];
  readonly harm = {
    snapshots: [] as string[],
    snapshotCount: 0,
    paths: [] as HurtPath[],
    pathCount: 0,
    isComplete: true,
  };
  /** Number of the snapshot that was noted last; for callers that note each snapshot once. */
  lastSnapshot = -1;

  constructor(kind: CheckProblemKind, object: CheckedObject, details: readonly string[]) {
    this.kind = kind;
    this.object = object;
    for (const detail of details) this.addDetail(detail);
  }

  addDetail(detail: string): void {
    if (this.details.length < detailsMax) this.details.push(detail);
  }

  addSnapshot(id: string): void {
    this.harm.snapshotCount += 1;
    if (this.harm.snapshots.length < listedMax) this.harm.snapshots.push(id);
  }

  /** `makePath` is called only if the path is kept. */
  addPath(snapshot: string, makePath: () => Uint8Array): void {
    this.harm.pathCount += 1;
    if (this.harm.paths.length < listedMax) this.harm.paths.push({ snapshot, path: makePath() });
  }
}

export class ProblemList {
  readonly listed: OpenProblem[] = [];
  readonly hints: CheckHint[] = [];
  readonly #events: CheckEvents;
  #count = 0;

  constructor(events: CheckEvents) {
    this.#events = events;
  }

  get count(): number {
    return this.#count;
  }

  /** Notes a problem and tells of it; undefined if it is only counted because there are too many. */
  add(
    kind: CheckProblemKind,
    object: CheckedObject,
    details: readonly string[] = [],
  ): OpenProblem | undefined {
    this.#count += 1;
    if (this.listed.length >= problemsMax) return undefined;
    const problem = new OpenProblem(kind, object, details);
    this.listed.push(problem);
    const { details: told } = problem;
    this.#events.found?.({ kind, object, details: [...told] });
    return problem;
  }

  addHint(kind: CheckHint["kind"], ids: HintCounter): void {
    if (ids.count === 0) return;
    const hint = { kind, count: ids.count, bytes: ids.bytes, examples: ids.examples };
    this.hints.push(hint);
    this.#events.hint?.(hint);
  }

  /** Tells of all listed problems with their harm. */
  report(): void {
    for (const problem of this.listed) this.#events.problem?.(problem);
  }
}

/** Counts things of one kind and keeps the first as examples. */
export class HintCounter {
  count = 0;
  bytes = 0;
  readonly examples: string[] = [];

  add(id: string, bytes = 0): void {
    this.count += 1;
    this.bytes += bytes;
    if (this.examples.length < examplesMax) this.examples.push(id);
  }
}
