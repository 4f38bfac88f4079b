/** Failures by code: secrets. */
import type { ErrorSpec } from "./error-spec.ts";

export const secretErrors = {
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
    remedy:
      "Store it with `backstay secret set NAME`; `backstay secret list` shows which there are.",
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
} as const satisfies Record<string, ErrorSpec>;
