/** The locks against removal of a store that must have some. */
import { BackstayError } from "../protocol/backstay-error.ts";
import type { ObjectStore, RetentionLocks } from "./object-store.ts";

/** STORE_LACKS if it has none. */
export function requireRetentionLocks({ retentionLocks }: ObjectStore): RetentionLocks {
  if (retentionLocks !== undefined) return retentionLocks;
  throw new BackstayError("STORE_LACKS", { problem: "objects can't be locked there" });
}
