/** Failures by code: repository. */
import type { ErrorSpec } from "./error-spec.ts";

export const repositoryErrors = {
  REPOSITORY_MISSING: {
    kind: "permanent",
    exitCode: 10,
    title: "There is no repository at this place.",
    remedy:
      "Check the address (a disk may not be mounted), or create a repository with `backstay init`.",
  },
  REPOSITORY_EXISTS: {
    kind: "permanent",
    exitCode: 1,
    title: "There is already a repository, or a part of one, at this place.",
    remedy: "Use it as it is, or choose an empty place. Nothing was changed.",
  },
  REPOSITORY_LOCKED: {
    kind: "temporary",
    exitCode: 11,
    title: "The repository is locked by another session.",
    remedy: "Wait for that session to end. If its machine is gone for good, run `backstay unlock`.",
  },
  REPOSITORY_MAINTENANCE: {
    kind: "temporary",
    exitCode: 1,
    title: "The repository is in maintenance: nothing goes in or out.",
    remedy:
      "Wait until the server's administrator has ended it (`backstay-server repository member set-state`). Nothing is wrong with this machine.",
  },
  REPOSITORY_SEALED: {
    kind: "temporary",
    exitCode: 1,
    title: "The repository is sealed: it can be read, and takes no new backups.",
    remedy:
      "The server's administrator gives the pool another active member, or ends the seal. Restores and checks work.",
  },
  REPOSITORY_UNSUPPORTED: {
    kind: "permanent",
    exitCode: 1,
    title: "The repository uses a format that this version does not know or may not write.",
    remedy: "Use a newer Backstay, or restic, for this repository. Nothing was changed.",
  },
  REPOSITORY_DAMAGED: {
    kind: "permanent",
    exitCode: 1,
    title: "A part of the repository is damaged.",
    remedy: "Run `backstay check --read-data`; it names the snapshots and files that are hurt.",
  },
  CHECK_FAILED: {
    kind: "permanent",
    exitCode: 1,
    title: "The check found that the repository is not whole.",
    remedy:
      "The problems above name the snapshots and paths that are hurt; everything else can be restored. Find out what damaged it before anything is removed or repaired.",
  },
  LOCK_LOST: {
    kind: "permanent",
    exitCode: 1,
    title:
      "The lock of this session vanished from the repository, so the session stopped without a snapshot.",
    remedy: "Run the command again. If the machine was asleep for long, that is the usual reason.",
  },
  WRONG_PASSWORD: {
    kind: "permanent",
    exitCode: 12,
    title: "The password opens none of the repository's keys.",
    remedy:
      "Check the password (BACKSTAY_PASSWORD, --password-file) and that this is the right repository.",
  },
  PASSWORD_MISSING: {
    kind: "permanent",
    exitCode: 1,
    title: "There is no password to open the repository with.",
    remedy:
      "Give one by --password-file, --password-command, BACKSTAY_PASSWORD_FILE or BACKSTAY_PASSWORD. A repository with an empty password needs --insecure-no-password.",
  },
  KEY_UNUSABLE: {
    kind: "permanent",
    exitCode: 1,
    title: "A key file of the repository is damaged or asks for unreasonable work.",
    remedy: "Remove that key file if another one opens the repository.",
  },
  KEY_NOT_FOUND: {
    kind: "permanent",
    exitCode: 1,
    title: "Not exactly one key file of the repository matches.",
    remedy: "Run `backstay key list` to see the keys; give more characters of the id.",
  },
  KEY_NEEDED: {
    kind: "permanent",
    exitCode: 1,
    title: "This key was not removed, because it is needed to open the repository.",
    remedy:
      "Add another password with `backstay key add`, and remove this key when that one is in use.",
  },
  SNAPSHOT_NOT_FOUND: {
    kind: "permanent",
    exitCode: 1,
    title: "No snapshot matches.",
    remedy: "Run `backstay snapshots` to see what there is; `latest` names the newest.",
  },
  SNAPSHOT_AMBIGUOUS: {
    kind: "permanent",
    exitCode: 1,
    title: "Several snapshots match.",
    remedy: "Give more characters of the snapshot's id.",
  },
  BLOB_MISSING: {
    kind: "permanent",
    exitCode: 1,
    title: "The repository's index does not know a blob that is needed.",
    remedy: "Run `backstay check`; a new backup stores the data again if its source still exists.",
  },
  VERIFY_FAILED: {
    kind: "bug",
    exitCode: 1,
    title: "Data that was about to be stored did not decode to what it was made from.",
    remedy:
      "Nothing of it was stored. Test this machine's memory; if it is sound, report the error.",
  },
} as const satisfies Record<string, ErrorSpec>;
