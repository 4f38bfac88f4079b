/** Failures by code: documents that are signed or sealed, and the bundles that an agent takes from its server. */
import type { ErrorSpec } from "./error-spec.ts";

export const documentErrors = {
  SIGNED_TOO_LARGE: {
    kind: "permanent",
    exitCode: 1,
    title: "A signed document is larger than any of its kind.",
    remedy: "Look at what answers under the server's address: it may be a proxy or another server.",
  },
  SIGNED_TRUNCATED: {
    kind: "temporary",
    exitCode: 1,
    title: "What should be a signed document is incomplete, or none at all.",
    remedy:
      "It is fetched again by itself. If it stays, look at what changes or cuts answers between this machine and the server.",
  },
  SIGNED_BADLY: {
    kind: "permanent",
    exitCode: 1,
    title: "The signature of a document is missing, wrong, or not from a key that may make it.",
    remedy:
      "Nothing of the document is used. Ask the server's administrator whether keys were changed; docs/bundles.md tells how.",
  },
  SIGNED_CONTENT: {
    kind: "permanent",
    exitCode: 1,
    title: "A document is signed well, but does not say what such a document should say.",
    remedy: "Update whichever is older, the server or this machine's Backstay.",
  },
  KEY_INVALID: {
    kind: "permanent",
    exitCode: 1,
    title: "What should be a key is not one: 32 bytes, written as 43 characters of base64url.",
    remedy: "Give the key as it was printed or written to its file.",
  },
  SEALED_UNREADABLE: {
    kind: "permanent",
    exitCode: 1,
    title: "A sealed secret was not sealed to this key, or is damaged.",
    remedy: "Let it be sealed again: to the key of this machine, or to the recovery key at hand.",
  },
  BUNDLE_TOO_LARGE: {
    kind: "permanent",
    exitCode: 1,
    title: "The bundle of policies is larger than an agent takes; the one before stays in force.",
    remedy: "Give this machine fewer or smaller policies.",
  },
  BUNDLE_TRUNCATED: {
    kind: "temporary",
    exitCode: 1,
    title: "The bundle of policies came incomplete; the one before stays in force.",
    remedy:
      "It is fetched again by itself. If it stays, look at what changes or cuts answers between this machine and the server.",
  },
  BUNDLE_UNSIGNED: {
    kind: "permanent",
    exitCode: 1,
    title:
      "The bundle of policies is not signed by a key that this machine trusts; the one before stays in force.",
    remedy:
      "Ask the server's administrator whether keys were changed. A server that was set up anew has another root key: enrol the machine again.",
  },
  BUNDLE_FOREIGN: {
    kind: "permanent",
    exitCode: 1,
    title:
      "The bundle of policies is for another machine or tenant; the one before stays in force.",
    remedy:
      "Look at what answers under the server's address; a cache between must not keep its answers.",
  },
  BUNDLE_OLD: {
    kind: "permanent",
    exitCode: 1,
    title:
      "The bundle of policies is older than the one that this machine has accepted, which stays in force.",
    remedy:
      "A server restored from a backup issues a newer one by itself within minutes. If it stays, somebody may be playing old answers.",
  },
  BUNDLE_EMPTY: {
    kind: "permanent",
    exitCode: 1,
    title:
      "The bundle has no policies, or lacks more than half of the paths backed up before, and does not say that this is meant; the one before stays in force.",
    remedy:
      "If it is meant, tell the server so: `backstay-server agent intent AGENT pause` (or `stop`). Else correct the policy or the group.",
  },
  BUNDLE_INVALID: {
    kind: "permanent",
    exitCode: 1,
    title:
      "The bundle is signed well, but what it says cannot be used; the one before stays in force.",
    remedy: "Correct what is named in the policy on the server, or update this machine's Backstay.",
  },
  BUNDLE_NEWER: {
    kind: "permanent",
    exitCode: 1,
    title:
      "The bundle asks for something that this version does not know; the one before stays in force.",
    remedy: "Update this machine's Backstay.",
  },
  BUNDLE_DESTINATION: {
    kind: "permanent",
    exitCode: 1,
    title:
      "Where the bundle sends backups is not signed for that, or older than known here; the bundle before stays in force.",
    remedy:
      "Sign what waits with the destination key: `backstay-server repository unsigned`, `key sign`, `repository sign`.",
  },
  BUNDLE_TRUST: {
    kind: "permanent",
    exitCode: 1,
    title:
      "The list of trusted keys is not signed by the root key, or older than known here; the bundle before stays in force.",
    remedy:
      "Ask the server's administrator. A server that was set up anew has another root key: enrol the machine again.",
  },
} as const satisfies Record<string, ErrorSpec>;
