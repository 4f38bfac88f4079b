/** What the counting thread is told. */
import type { SelectionOptions } from "../select/selection-options.ts";

/** What is walked. */
export interface CountedSource {
  readonly paths: readonly Uint8Array[];
  readonly workingDirectory: Uint8Array;
  readonly selection: SelectionOptions;
}
