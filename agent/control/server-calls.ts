/** What synchronisation needs of the link to the server: signed requests, and answers of our server only. */

export interface ServerCall {
  readonly method: "GET" | "PUT" | "POST";
  /** With its query. */
  readonly path: string;
  /** Sent as JSON; absent: no body. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The server holds this one until there is something to say: its answer may take minutes. */
  readonly isHeld?: boolean;
  readonly signal: AbortSignal;
}

export interface ServerAnswer {
  /** 200 to 299, or 304. */
  readonly status: number;
  /** By its name in small letters; undefined if the answer has none of the name. */
  header(name: string): string | undefined;
  /** The parsed JSON; undefined if the answer has none. */
  readonly body: unknown;
}

export interface ServerCalls {
  /**
   * Rejects with AGENT_REFUSED if our server says no (protocol/control/agent-problem.ts), with LINK_FAILED or
   * LINK_UNTRUSTED for everything else that is no answer of it, and with the signal's reason. `retryAfterSeconds` of
   * the error's context is how long the answer asks to wait.
   */
  call(request: ServerCall): Promise<ServerAnswer>;
}
