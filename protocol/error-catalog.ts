/**
 * Every failure that Backstay can report, by code. Codes are never renamed and never reused.
 * `docs/errors.md` describes each; a test compares both in both directions.
 */

/** `temporary`: the same call may succeed later. `permanent`: somebody must act. `bug`: Backstay is wrong. */
export type ErrorKind = "temporary" | "permanent" | "bug";

export interface ErrorSpec {
  readonly kind: ErrorKind;
  /** Exit code of the command line (restic's numbers). */
  readonly exitCode: number;
  /** What happened, one sentence. */
  readonly title: string;
  /** What the person should do now. */
  readonly remedy: string;
}

export const errorCatalog = {
  USAGE: {
    kind: "permanent",
    exitCode: 1,
    title: "The command line is not valid.",
    remedy: "Run `backstay help` or `backstay help COMMAND` for the accepted arguments.",
  },
  LIST_UNREADABLE: {
    kind: "permanent",
    exitCode: 1,
    title: "A file with patterns or paths could not be read, so nothing was started.",
    remedy: "Check the file's name, and that this account may read it.",
  },
  INTERNAL: {
    kind: "bug",
    exitCode: 1,
    title: "Backstay found itself in a state that should be impossible and stopped.",
    remedy: "Nothing was written after this point. Report it with the text of this error.",
  },
  // Storage
  STORE_NOT_FOUND: {
    kind: "permanent",
    exitCode: 1,
    title: "The storage has no such object.",
    remedy: "Run `backstay check` to see which snapshots need it.",
  },
  STORE_EXISTS: {
    kind: "permanent",
    exitCode: 1,
    title: "The storage already has an object of this name with other content.",
    remedy: "Nothing was overwritten. Run `backstay check` on the repository.",
  },
  STORE_DENIED: {
    kind: "permanent",
    exitCode: 1,
    title: "The storage refused access.",
    remedy: "Check that this account may read and write the repository's place.",
  },
  STORE_FULL: {
    kind: "permanent",
    exitCode: 1,
    title: "The storage is full.",
    remedy:
      "Free space there or raise the quota, then run the backup again; what had arrived is not sent again.",
  },
  STORE_UNAVAILABLE: {
    kind: "temporary",
    exitCode: 1,
    title: "The storage could not be reached or did not answer as it should.",
    remedy: "Check the connection to the storage and try again.",
  },
  STORE_RANGE: {
    kind: "permanent",
    exitCode: 1,
    title: "A stored object is shorter than it should be.",
    remedy: "Run `backstay check --read-data` to find what is damaged.",
  },
  STORE_MISSING: {
    kind: "permanent",
    exitCode: 1,
    title: "The place of the storage is not there.",
    remedy: "Check that its disk is mounted. Nothing was created in its stead.",
  },
  STORE_BROKEN: {
    kind: "permanent",
    exitCode: 1,
    title: "The storage device reported that it could not read or keep data.",
    remedy:
      "Check the health of the disk and the system's log; what was being written is not counted as stored.",
  },
  STORE_UNSUPPORTED: {
    kind: "permanent",
    exitCode: 1,
    title: "This version cannot use storage of this kind.",
    remedy: "Use a path of this machine (`/path` or `local:/path`).",
  },
  // Repository
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
  // Source and target
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
  // Daemon and local API
  DAEMON_UNREACHABLE: {
    kind: "temporary",
    exitCode: 1,
    title: "No daemon of Backstay answers on this machine.",
    remedy:
      "Start it with `systemctl start backstay` (or by hand: `backstayd`) and see its log. Commands with `--repo` work without it.",
  },
  DAEMON_RUNNING: {
    kind: "permanent",
    exitCode: 1,
    title: "Another daemon runs already in the same place.",
    remedy:
      "Nothing was changed. End the other one first, or give this one a place of its own with BACKSTAY_HOME.",
  },
  DAEMON_DENIED: {
    kind: "permanent",
    exitCode: 1,
    title: "This user may see the status of the daemon, and nothing else of it.",
    remedy: "Run the command as root, or as the user that the daemon runs as.",
  },
  DAEMON_BUSY: {
    kind: "temporary",
    exitCode: 1,
    title: "The daemon did not get to this request in time.",
    remedy: "Try again. If it stays so, see the daemon's log.",
  },
  DAEMON_REQUEST: {
    kind: "permanent",
    exitCode: 1,
    title: "The daemon does not understand this request.",
    remedy:
      "Command and daemon may be of different versions: restart the daemon after an update. See docs/local-api.md for what it takes.",
  },
  DAEMON_ANSWER: {
    kind: "permanent",
    exitCode: 1,
    title: "What answered is not a daemon that this command understands.",
    remedy: "Restart the daemon after an update, so that both are of the same version.",
  },
  DAEMON_LOST: {
    kind: "temporary",
    exitCode: 1,
    title: "The connection to the daemon broke off.",
    remedy:
      "See `backstay status` and the daemon's log. A session that was running is recorded once the daemon is back.",
  },
  DAEMON_PLACE: {
    kind: "permanent",
    exitCode: 1,
    title: "The place of the daemon's socket can't be used.",
    remedy: "Correct what is named here, or choose another place with BACKSTAY_HOME.",
  },
  POLICY_UNKNOWN: {
    kind: "permanent",
    exitCode: 1,
    title: "There is no policy of this name.",
    remedy: "Run `backstay policies` to see which there are.",
  },
  SESSION_NOT_FOUND: {
    kind: "permanent",
    exitCode: 1,
    title: "There is no session of this id, or no more.",
    remedy: "Run `backstay sessions` to see which there are.",
  },
  OUTPUT_UNWRITABLE: {
    kind: "permanent",
    exitCode: 1,
    title: "The file to write could not be made.",
    remedy: "Give the name of a file that does not exist, in a folder that this user may write.",
  },
  // Policies
  POLICY_INVALID: {
    kind: "permanent",
    exitCode: 1,
    title: "A policy is not written as it should be, so nothing was changed.",
    remedy:
      "Correct the named lines; docs/policies.md and docs/policy.schema.json tell every field.",
  },
  POLICY_NEWER: {
    kind: "permanent",
    exitCode: 1,
    title: "A policy was written for a newer version, so nothing was changed.",
    remedy: "Update this machine's Backstay, or write the policy without the named fields.",
  },
  POLICY_UNSUPPORTED: {
    kind: "permanent",
    exitCode: 1,
    title: "A policy asks for something that this version can't do yet, so nothing was changed.",
    remedy: "Remove the named settings: none of a policy's settings is ever ignored.",
  },
  POLICY_RESTRICTED: {
    kind: "permanent",
    exitCode: 1,
    title: "A policy asks for something that this machine does not allow.",
    remedy: "Change the policy, or the guard rails in the agent's configuration file.",
  },
  POLICY_SCOPE: {
    kind: "permanent",
    exitCode: 1,
    title: "What a policy backs up can't be told on this machine.",
    remedy: "Set the named variable for the service, or change the policy.",
  },
  POLICY_NEEDED: {
    kind: "permanent",
    exitCode: 1,
    title: "The policy was not removed, because another one starts after it.",
    remedy: "Give the other policy a schedule of its own first.",
  },
  POLICY_FOLDER: {
    kind: "permanent",
    exitCode: 1,
    title: "The folder of policies could not be read or changed.",
    remedy:
      "Run the command as administrator (root), and check that the disk is writable and not full.",
  },
  CONFIGURATION_INVALID: {
    kind: "permanent",
    exitCode: 1,
    title: "The agent's configuration file can't be read or is not written as it should be.",
    remedy: "Correct the named line of the file. Without its guard rails no policy is accepted.",
  },
  // Secrets
  SECRET_INVALID: {
    kind: "permanent",
    exitCode: 1,
    title: "The name or the value of a secret is not valid.",
    remedy: "Correct what is named. A value has 1 byte to 64 KiB.",
  },
  SECRET_MISSING: {
    kind: "permanent",
    exitCode: 1,
    title: "This machine keeps no secret of that name.",
    remedy: "Store it with `backstay secret set NAME`; `backstay secret list` shows which there are.",
  },
  SECRET_UNREADABLE: {
    kind: "permanent",
    exitCode: 1,
    title: "A secret is there, but it cannot be read or unsealed.",
    remedy:
      "Store it again with `backstay secret set NAME`. Secrets are bound to the machine: they do not survive a new system or TPM.",
  },
  SECRET_PLACE: {
    kind: "permanent",
    exitCode: 1,
    title: "The folder of secrets cannot be used.",
    remedy:
      "Run the command as administrator (root), and check that the disk is writable and not full.",
  },
  // The agent's state and its sessions
  RUN_ORDER_INVALID: {
    kind: "bug",
    exitCode: 1,
    title: "The engine was given an order that it does not understand.",
    remedy: "Restart the daemon: it may be of another version. If that does not help, report it.",
  },
  STATE_DAMAGED: {
    kind: "permanent",
    exitCode: 1,
    title: "The agent's database is damaged.",
    remedy:
      "It was set aside and made anew; backups go on, the history of sessions begins again. Check the health of the disk.",
  },
  STATE_NEWER: {
    kind: "permanent",
    exitCode: 1,
    title: "The agent's database was made by a newer version.",
    remedy:
      "It was set aside and made anew; backups go on. Install the newer version to see the earlier sessions again.",
  },
  STATE_FULL: {
    kind: "temporary",
    exitCode: 1,
    title: "The disk of the agent's database is full.",
    remedy: "Free space there. Until then the agent works from memory, and forgets if it ends.",
  },
  STATE_READ_ONLY: {
    kind: "permanent",
    exitCode: 1,
    title: "The agent's database can't be written.",
    remedy:
      "Check that its folder exists, belongs to the agent's account and is not mounted read-only. Until then the agent works from memory, and forgets if it ends.",
  },
  STATE_BROKEN: {
    kind: "permanent",
    exitCode: 1,
    title: "The disk of the agent's database reported an error.",
    remedy:
      "Check the health of the disk and the system's log. Until then the agent works from memory, and forgets if it ends.",
  },
  STATE_BUSY: {
    kind: "temporary",
    exitCode: 1,
    title: "Another program keeps the agent's database locked.",
    remedy:
      "End the program that has it open. Until then the agent works from memory, and forgets if it ends.",
  },
  // Power and drives
  POWER_ACTION_FAILED: {
    kind: "permanent",
    exitCode: 1,
    title: "The machine could not be put to sleep or switched off.",
    remedy: "Check that the system itself offers it, and that the agent runs as a service.",
  },
  EJECT_FAILED: {
    kind: "temporary",
    exitCode: 1,
    title: "The drive could not be taken out of use; do not unplug it yet.",
    remedy: "Close what is open on it, then eject it again.",
  },
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof errorCatalog;
