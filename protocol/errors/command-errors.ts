/** Failures by code: the command line, and Backstay itself. */
import type { ErrorSpec } from "./error-spec.ts";

export const commandErrors = {
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
} as const satisfies Record<string, ErrorSpec>;
