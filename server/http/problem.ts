/** What HTTP answers when it does not do what was asked: a problem document (RFC 9457) with a code that never changes. */

/** One place of the request that is not as it must be. */
export interface ProblemPlace {
  /** As in `body.quotas.agentsMax`. */
  readonly path: string;
  readonly message: string;
}

export interface ProblemParts {
  readonly status: number;
  /** For programs: lower case with dashes, never renamed. */
  readonly code: string;
  /** For people: what happened, the same for each problem of this code. */
  readonly title: string;
  /** For people: what exactly. Never a secret, nothing of how the server works inside. */
  readonly detail?: string | undefined;
  readonly errors?: readonly ProblemPlace[] | undefined;
  /** Sent with it, such as `retry-after`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** An answer that ends a request; routes and hooks throw it. Rooms without HTTP throw BackstayError instead. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly parts: ProblemParts;

  constructor(parts: ProblemParts, cause?: unknown) {
    super(`${parts.status} ${parts.code}`, cause === undefined ? undefined : { cause });
    this.parts = parts;
  }
}

export const problemMediaType = "application/problem+json";

/** The document's text. `requestId` finds the request in the server's log. */
export function problemText({ parts }: Problem, requestId: string): string {
  const { status, code, title, detail, errors } = parts;
  return JSON.stringify({
    type: `urn:backstay:problem:${code}`,
    title,
    status,
    code,
    detail,
    errors,
    requestId,
  });
}
