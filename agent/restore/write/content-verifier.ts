/** Reads restored files back and compares them with the hashes of their blobs. */
import { type RestorePlan, rowKind, rowState } from "../plan/restore-plan.ts";
import { ContentCheck } from "./content-check.ts";
import { openReadable } from "./readable-file.ts";
import { StatView } from "./stat-view.ts";
import type { WorkContext } from "./work-context.ts";
import { explain, fileError } from "./work-issues.ts";

export class ContentVerifier {
  readonly #context: WorkContext;
  readonly #plan: RestorePlan;
  readonly #content: ContentCheck;
  readonly #stat: StatView;

  constructor(context: WorkContext) {
    this.#context = context;
    this.#plan = context.plan;
    this.#content = new ContentCheck(context);
    this.#stat = new StatView(context.files);
  }

  /** Verifies files among rows `[from, to)`; further names of a file are verified with their first. */
  verify(from: number, to: number): void {
    const plan = this.#plan;
    for (let row = from; row < to; row += 1) {
      if (this.#context.isCancelled()) return;
      const state = plan.stateOf(row);
      if (plan.kindOf(row) !== rowKind.file || plan.linkOf(row) >= 0) continue;
      if (state !== rowState.done && state !== rowState.unchanged) continue;
      const problem = this.#problem(row);
      if (problem !== undefined) {
        plan.setState(row, rowState.damaged);
        this.#context.issues.error("different", row, problem);
      }
      this.#context.counters.addEntry(row);
      this.#context.counters.addBytes(plan.sizeOf(row));
    }
  }

  #problem(row: number): string | undefined {
    const { files, directories } = this.#context;
    const plan = this.#plan;
    let handle: number | undefined;
    try {
      const directory = directories.open(plan.parentOf(row));
      handle = openReadable(files, directory, plan.nameOf(row), this.#stat);
      if (handle === undefined) return "it can't be read back: permission denied";
      this.#stat.handle(handle);
      const { size } = this.#stat;
      const expected = plan.sizeOf(row);
      if (size !== expected) return `it has ${size} bytes instead of ${expected}`;
      let wrong = 0;
      this.#content.compare(row, handle, size, (_ref, isRight) => {
        if (!isRight) wrong += 1;
        return true;
      });
      if (wrong === 0) return undefined;
      return `${wrong} of its ${plan.countOf(row)} blobs read back differently`;
    } catch (error) {
      return `it can't be read back: ${explain(fileError(error, row))}`;
    } finally {
      if (handle !== undefined) files.close(handle);
    }
  }
}
