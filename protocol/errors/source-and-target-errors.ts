/** Failures by code: source and target. */
import type { ErrorSpec } from "./error-spec.ts";

export const sourceAndTargetErrors = {
  SOURCE_MISSING: {
    kind: "permanent",
    exitCode: 1,
    title: "Nothing of the source exists, so no snapshot was written.",
    remedy: "Check the paths, and that their disk is mounted.",
  },
  SOURCE_EMPTY: {
    kind: "permanent",
    exitCode: 1,
    title: "The source is empty and was not at the last backup, so no snapshot was written.",
    remedy:
      "Check that its disk is mounted. If it is meant to be empty, run the backup once with --force.",
  },
  SOURCE_LOST: {
    kind: "temporary",
    exitCode: 1,
    title: "A file system of the source went away during the backup, so no snapshot was written.",
    remedy: "Check its disk or its connection, and run the backup again: what had arrived counts.",
  },
  SOURCE_UNREADABLE: {
    kind: "permanent",
    exitCode: 3,
    title: "Some source data could not be read.",
    remedy: "See the listed files; the rest of the snapshot is complete.",
  },
  DIRECTORY_TOO_LARGE: {
    kind: "permanent",
    exitCode: 3,
    title:
      "A directory has so many entries that their list could never be read back, so it is not in the snapshot.",
    remedy: "Spread its entries over several directories, or exclude it.",
  },
  PATH_NOT_FOUND: {
    kind: "permanent",
    exitCode: 1,
    title: "The snapshot has no such path.",
    remedy: "Run `backstay ls SNAPSHOT` to see its paths.",
  },
  RESTORE_TOO_LARGE: {
    kind: "permanent",
    exitCode: 1,
    title: "The snapshot holds more entries than a restore may plan at once.",
    remedy:
      "Restore folder by folder (SNAPSHOT:PATH). A snapshot far larger than its source may have been made to do harm.",
  },
  RESTORE_TARGET: {
    kind: "permanent",
    exitCode: 1,
    title: "The folder to restore to can't be used.",
    remedy: "Check that it may be made and written by this user, and that its disk is mounted.",
  },
  RESTORE_TARGET_FULL: {
    kind: "permanent",
    exitCode: 1,
    title: "The disk that is restored to is full.",
    remedy: "Free space and run the same restore again: what is complete is not written again.",
  },
  RESTORE_INCOMPLETE: {
    kind: "permanent",
    exitCode: 1,
    title: "Some of what was asked for could not be restored.",
    remedy:
      "See the errors above; everything else is restored. Running the same restore again tries only what is missing.",
  },
  RESTORE_DELETE_REFUSED: {
    kind: "permanent",
    exitCode: 1,
    title: "Nothing was deleted: this restore would remove what the snapshot does not have.",
    remedy:
      "See what would go with --dry-run, then confirm it with --confirm-delete. `/` itself is never cleared.",
  },
} as const satisfies Record<string, ErrorSpec>;
