/** The one error class of Backstay: a code of the catalogue, small facts, and what to do about it. */
import { type ErrorCode, errorCatalog } from "./error-catalog.ts";
import type { ErrorSpec } from "./errors/error-spec.ts";

/** Facts shown with an error. No secrets; values are short. */
export type ErrorContext = Readonly<Record<string, string | number>>;

/** Any failure that Backstay itself recognises. `code` and `kind` are for programs, the rest for people. */
export class BackstayError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = "BackstayError";
  readonly code: C;
  readonly context: ErrorContext;

  constructor(code: C, context: ErrorContext = {}, cause?: unknown) {
    super(describe(code, context), cause === undefined ? undefined : { cause });
    this.code = code;
    this.context = context;
  }

  get spec(): ErrorSpec {
    return errorCatalog[this.code];
  }

  get kind(): ErrorSpec["kind"] {
    return this.spec.kind;
  }

  get remedy(): string {
    return this.spec.remedy;
  }

  get exitCode(): number {
    return this.spec.exitCode;
  }
}

/** True for a BackstayError, of the given code if one is named. */
export function isBackstayError<C extends ErrorCode>(
  error: unknown,
  code?: C,
): error is BackstayError<C> {
  return error instanceof BackstayError && (code === undefined || error.code === code);
}

function describe(code: ErrorCode, context: ErrorContext): string {
  const facts = Object.entries(context)
    .map(([name, value]) => `${name}: ${value}`)
    .join(", ");
  const title = errorCatalog[code].title;
  return facts === "" ? title : `${title} (${facts})`;
}
