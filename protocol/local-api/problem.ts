/** How the local API says that it did not do what it was asked: `application/problem+json` (RFC 9457) with our codes. */
import type { ErrorContext } from "../backstay-error.ts";

export const problemContentType = "application/problem+json";

export interface Problem {
  /** One sentence. */
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  /** Code of the error catalogue. */
  readonly code: string;
  readonly kind: "temporary" | "permanent" | "bug";
  /** What to do now. */
  readonly remedy: string;
  readonly exitCode: number;
  readonly context: ErrorContext;
}
