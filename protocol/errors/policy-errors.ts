/** Failures by code: policies. */
import type { ErrorSpec } from "./error-spec.ts";

export const policyErrors = {
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
} as const satisfies Record<string, ErrorSpec>;
