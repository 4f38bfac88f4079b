/** What every step of a check works with. */
import type { ObjectStore } from "../../storage/object-store.ts";
import type { MasterKey } from "../repository/crypto/master-key.ts";
import type { Sealer } from "../repository/crypto/sealed-bytes.ts";
import type { CheckProgress } from "./report/check-report.ts";
import type { ProblemList } from "./report/problem-list.ts";
import type { Turns } from "./turns.ts";

export interface CheckContext {
  /** Read directly, never through the cache: what the cache holds proves nothing about the store. */
  readonly store: ObjectStore;
  readonly sealer: Sealer;
  readonly masterKey: MasterKey;
  /** False if others may write and prune meanwhile: then a file that vanishes is no damage. */
  readonly isLocked: boolean;
  readonly problems: ProblemList;
  readonly turns: Turns;
  readonly progress: (progress: Omit<CheckProgress, "problems">) => void;
  readonly signal: AbortSignal;
}
