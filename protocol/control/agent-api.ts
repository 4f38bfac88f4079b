/**
 * The agent's side of the management server's API, version 1: paths, headers, and the codes of problems that an agent
 * acts on. Every request but `time` carries `authorization: Backstay <request signature>` (request-signature.ts),
 * which also names the run of the agent and the serial of its newest bundle.
 * Bodies are JSON, times are ms since 1970. Unknown fields are ignored on both sides: old agents stay in the field.
 */

export const agentApi = {
  /** GET, anonymous: `{ "timeMs": … }`. */
  time: "/agent/v1/time",
  /** POST EnrolmentRequest, signed by the key that it brings: 201 EnrolmentAnswer, 202 EnrolmentPending. Repeating it is harmless. */
  enroll: "/agent/v1/enroll",
  /** GET with `if-none-match: "<hash>"`: 200 bundleAnswer with `etag`, or 304. The agent's regular poll. */
  bundle: "/agent/v1/bundle",
  /** GET with `?cursor=`: 200 WakeAnswer as soon as there is something, 204 after the hold time. */
  wake: "/agent/v1/wake",
  /** GET: 200 CommandList, everything that is not finished yet, oldest first. */
  commands: "/agent/v1/commands",
  /** PUT `/agent/v1/commands/{id}/state` CommandProgress: 204. The newest of what is repeated or late counts. */
  commandState: (id: string): string => `/agent/v1/commands/${id}/state`,
  /** PUT `/agent/v1/commands/{id}/upload`: what a command collects (logs), raw bytes, at most uploadBytesMax: 204. */
  commandUpload: (id: string): string => `/agent/v1/commands/${id}/upload`,
  /** PUT AgentStatus, when it has changed: 204. Only the newest counts. */
  status: "/agent/v1/status",
  /** POST ReportBatch: 200 ReportReceipt. Each id counts once, however often it is sent. */
  reports: "/agent/v1/reports",
  /** POST EscrowDeposit: 204. */
  escrow: "/agent/v1/escrow",
  /**
   * GET StorageAccountQuery: 200 StorageAccountAnswer, an account for the machine's own place in the storage of an issued
   * route. `account-unavailable` if none is to be had now.
   */
  storageAccount: "/agent/v1/storage-account",
  /** POST ForkRequest: 201 EnrolmentAnswer for a new identity, 202 while it waits for approval. */
  fork: "/agent/v1/identity/fork",
} as const;

/** Of each answer to an agent. */
export const answerHeaders = {
  /** The server's clock, ms since 1970. */
  time: "backstay-time",
  /** Seconds until the next poll, before the agent's own jitter of 20 %. */
  poll: "backstay-poll",
  /** Number of commands that wait for this agent. */
  commands: "backstay-commands",
  /** `off` if the server has no room to hold another wake request: the agent only polls then. */
  wake: "backstay-wake",
  /**
   * Gaps of the server's memory (`status` and `wake`), `<noticed>-<reaches>` each, ms since 1970 by its clock, comma
   * between them; `0`: none. The database may have been set back to what it was at `reaches`: once for each gap, which
   * it knows by `noticed`, the agent tells again what it has told since then.
   */
  memory: "backstay-memory",
} as const;

export const uploadBytesMax = 64 * 1024 * 1024;
export const defaultPollSeconds = 300;
/** Each delay is this factor at random from 1 - x to 1 + x. */
export const pollJitter = 0.2;

/**
 * `code` of problem documents (RFC 9457, `application/problem+json`) that agents tell apart. Whatever else comes back,
 * a 401 of a proxy or an empty answer, is `link-failed` to an agent: it keeps what it has and tries again.
 */
export const agentProblemCodes = [
  "token-unknown",
  "token-expired",
  "token-exhausted",
  "token-network",
  "enrolment-denied",
  "agent-unknown",
  "agent-suspended",
  "agent-revoked",
  "signature-invalid",
  "request-replayed",
  "clock-skew",
  "identity-conflict",
  "licence-exceeded",
  "quota-exceeded",
  "account-unavailable",
  "rate-limited",
  "overloaded",
  "upgrade-required",
  "body-invalid",
  "not-found",
] as const;
export type AgentProblemCode = (typeof agentProblemCodes)[number];
