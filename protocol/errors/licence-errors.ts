/** Failures by code: licences of an installation. */
import type { ErrorSpec } from "./error-spec.ts";

export const licenceErrors = {
  LICENCE_INVALID: {
    kind: "permanent",
    exitCode: 1,
    title:
      "The licence is damaged, has lapsed, or was issued by somebody whose licences do not count here.",
    remedy:
      "Install the licence as it was given to you, in one piece; nothing was changed. Backups and restores need none.",
  },
} as const satisfies Record<string, ErrorSpec>;
