/** Failures by code: power and drives. */
import type { ErrorSpec } from "./error-spec.ts";

export const machineErrors = {
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
