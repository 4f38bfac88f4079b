/**
 * Failures by code: what the rooms of the management server refuse, whoever asks. Over HTTP they are 404 (unknown),
 * 409 (exists, in use, state), 412 (changed) and 422 (invalid).
 */
import type { ErrorSpec } from "./error-spec.ts";

export const managementErrors = {
  RESOURCE_UNKNOWN: {
    kind: "permanent",
    exitCode: 1,
    title: "The server has no such thing, or it belongs to another tenant.",
    remedy:
      "List what there is with the command of the same noun, such as `backstay-server group list`.",
  },
  RESOURCE_EXISTS: {
    kind: "permanent",
    exitCode: 1,
    title: "There is already one of this name.",
    remedy: "Choose another name, or change the one that exists.",
  },
  RESOURCE_CHANGED: {
    kind: "temporary",
    exitCode: 1,
    title: "Somebody else changed it in the meantime, so nothing was changed now.",
    remedy: "Read it again, and make the change on what it is now.",
  },
  RESOURCE_IN_USE: {
    kind: "permanent",
    exitCode: 1,
    title: "Something else still needs it, so nothing was changed.",
    remedy: "Change what is named here first.",
  },
  RESOURCE_INVALID: {
    kind: "permanent",
    exitCode: 1,
    title: "The server can't take these values, so nothing was changed.",
    remedy:
      "Correct what is named here; docs/management-api.md and /openapi.json tell every field.",
  },
  RESOURCE_STATE: {
    kind: "permanent",
    exitCode: 1,
    title: "That can't be done in the state in which it is.",
    remedy: "Look at its state first; what is final stays as it is.",
  },
} as const satisfies Record<string, ErrorSpec>;
