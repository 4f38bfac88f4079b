/** A refusal of the fake, as Google's JSON API words one. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    reason: string,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.headers = headers;
  }

  get document(): object {
    const { status: code, message, reason } = this;
    return { error: { code, message, errors: [{ message, domain: "global", reason }] } };
  }
}

export function notFound(bucket: string, name: string): ApiError {
  return new ApiError(404, "notFound", `No such object: ${bucket}/${name}`);
}

export function conditionNotMet(): ApiError {
  return new ApiError(
    412,
    "conditionNotMet",
    "At least one of the pre-conditions you specified did not hold.",
  );
}

export function invalid(message: string): ApiError {
  return new ApiError(400, "invalid", message);
}
