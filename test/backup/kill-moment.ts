/** When a backup of a test is killed. */
import type { FileType } from "../../storage/object-store.ts";

/** When so many files have been stored, of this type if one is given. */
export interface KillMoment {
  readonly saves: number;
  readonly type?: FileType;
}
