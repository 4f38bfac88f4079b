/** Failures by code: storage. */
import type { ErrorSpec } from "./error-spec.ts";

export const storageErrors = {
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
    remedy:
      "Use a path of this machine (`/path` or `local:/path`), a REST server (`rest:https://…`), or an object storage (`s3:`, `azure:`, `gs:`), as docs/storage.md says.",
  },
  STORE_LACKS: {
    kind: "permanent",
    exitCode: 1,
    title: "The storage can't do what this backup should have of it.",
    remedy:
      "Use an object storage that can, and an account or a gateway that may (docs/immutability.md), or leave the setting out.",
  },
  STORE_ARCHIVED: {
    kind: "permanent",
    exitCode: 1,
    title: "The object lies in a storage class that can't be read from.",
    remedy:
      "Have it brought back into a class that can be read (hours, and it costs), then try again.",
  },
  STORE_CLOCK: {
    kind: "permanent",
    exitCode: 1,
    title: "The clock of this machine and that of the storage differ too much.",
    remedy: "Set this machine's clock right; storage refuses what is signed at another time.",
  },
  STORE_UNTRUSTED: {
    kind: "permanent",
    exitCode: 1,
    title: "What answers at the storage's address is not the server that it should be.",
    remedy:
      "Nothing was sent to it. Check the address and the clock; name the server's private authority (`RESTIC_CACERT`) or the pin of its key, as docs/storage.md says.",
  },
} as const satisfies Record<string, ErrorSpec>;
