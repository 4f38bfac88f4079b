/** What a caller asks a restore for. */
import type { OverwriteRule } from "../../protocol/run-order.ts";
import type { PatternSet } from "../patterns/pattern-set.ts";
import type { Repository } from "../repository/repository.ts";
import type { ColdPacks } from "./fetch/cold-packs.ts";
import type { PlanLimits } from "./plan/plan-builder.ts";
import type { RestoreProgress } from "./restore-progress.ts";

export interface RestoreRequest {
  /** Open, with its index loaded. */
  readonly repository: Repository;
  /** The snapshot's tree, 32 bytes. */
  readonly tree: Uint8Array;
  /** Raw path in the snapshot whose content is restored; `/` or nothing for all of it. A file is restored by itself. */
  readonly path?: Uint8Array;
  /** Raw path of the folder that it goes to; made if it does not exist. */
  readonly target: Uint8Array;
  /** Only what these match; patterns are compared with paths below `path`. */
  readonly include?: PatternSet | undefined;
  /** Not what these match. */
  readonly exclude?: PatternSet | undefined;
  /** By default `always`. */
  readonly overwrite?: OverwriteRule;
  /** Remove what the snapshot does not have. Needs `deleteConfirmed` unless it is a dry run. */
  readonly delete?: boolean;
  readonly deleteConfirmed?: boolean;
  /** Change nothing; tell `progress.entry` what would be done. */
  readonly dryRun?: boolean;
  /** Read every file back and compare it with its blobs. */
  readonly verify?: boolean;
  /** Wait until everything is on the device. */
  readonly flush?: boolean;
  /** Worker threads; by default one for each core, or none if there is little to do. */
  readonly threads?: number;
  readonly limits?: PlanLimits;
  readonly progress?: RestoreProgress;
  /**
   * Told, before anything is restored, of packs that lie in an archive; what it throws ends the restore. Without it nobody
   * looks for them.
   */
  readonly coldPacks?: (found: ColdPacks) => void;
  readonly signal: AbortSignal;
}
