/** Tells the server how this machine is: one status, the newest, and only when something in it has changed. */
import { agentApi, answerHeaders } from "../../protocol/control/agent-api.ts";
import type { AgentStatus } from "../../protocol/control/reports.ts";
import type { ServerCalls } from "./server-calls.ts";

const minuteMs = 60_000;
/** The server hears it again without a change, in case it was set back. */
const sendAgainMs = 6 * 60 * minuteMs;

export interface StatusSenderParts {
  readonly link: ServerCalls;
  /** Makes the status of this moment; its texts within the lengths that protocol/control/reports.ts allows. */
  readonly status: () => AgentStatus;
  /** Ms of a clock that never goes back. */
  readonly monotonicMs: () => number;
}

export class StatusSender {
  readonly #parts: StatusSenderParts;
  /** Of what the server has: without progress, and with it. */
  #told: { readonly digest: string; readonly progress: string; readonly atMs: number } | undefined;
  #isBusy = false;

  constructor(parts: StatusSenderParts) {
    this.#parts = parts;
  }

  /** True if a session ran when the status was looked at last. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** The server may have forgotten it: it is sent the next time, changed or not. */
  recall(): void {
    this.#told = undefined;
  }

  /**
   * Sends the status if it has changed; `withProgress`: also if only the progress of running sessions has. Resolves with
   * what the server says of its memory, if it was asked. Rejects as the link does.
   */
  async send(withProgress: boolean, signal: AbortSignal): Promise<string | undefined> {
    const { link, monotonicMs } = this.#parts;
    const status = this.#parts.status();
    const running = status.policies.map(({ running: progress }) => progress ?? null);
    this.#isBusy = running.some((progress) => progress !== null);
    const digest = digestOf(status);
    const progress = JSON.stringify(running);
    const atMs = monotonicMs();
    const told = this.#told;
    const isSame =
      told !== undefined &&
      told.digest === digest &&
      (!withProgress || told.progress === progress) &&
      atMs - told.atMs < sendAgainMs;
    if (isSame) return undefined;
    const path = agentApi.status;
    const answer = await link.call({ method: "PUT", path, body: status, signal });
    this.#told = { digest, progress, atMs };
    return answer.header(answerHeaders.memory);
  }
}

/** What of a status is news: not its time, and of what runs only that it does. */
function digestOf(status: AgentStatus): string {
  return JSON.stringify({
    ...status,
    timeMs: 0,
    clockOffsetMs: Math.round(status.clockOffsetMs / minuteMs),
    policies: status.policies.map(({ running, ...rest }) => ({
      ...rest,
      running: running?.sessionId,
    })),
  });
}
