/**
 * Beside the poll, one request is left with the server, which answers it as soon as there is something: commands arrive
 * within a second, bundles within their spread. Nothing depends on it: what it misses, the next poll finds.
 */
import { setMaxListeners } from "node:events";
import type { Clock } from "../../platform/ports/clock.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { agentApi, answerHeaders } from "../../protocol/control/agent-api.ts";
import { type WakeAnswer, wakeAnswer } from "../../protocol/control/command.ts";
import { type Chance, retryDelayMs, wakeOffMs } from "./link-pace.ts";
import { retryAfterMs, retryAfterOf } from "./retry-after.ts";
import type { ServerCalls } from "./server-calls.ts";

export interface WakeLoopParts {
  readonly link: ServerCalls;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Resolves once the last poll went well; rejects when aborted. */
  readonly untilConnected: (signal: AbortSignal) => Promise<void>;
  /** Told of each answer that says something. */
  readonly onNews: (news: WakeAnswer) => void;
  /** Told with each answer what the server says of its memory. */
  readonly onMemory: (gaps: string | undefined) => void;
  /** Told when a request begins or ends to be held. */
  readonly onHeld: () => void;
}

/** From one request to the next, at least; and after many in a row that were answered at once. */
const distanceMs = 1000;
/** From the word of a new bundle to the next request. */
const fetchingMs = 1000;
const hasty = { answers: 10, restMs: 60_000 };

export class WakeLoop {
  readonly #parts: WakeLoopParts;
  #cursor = "";
  #isHeld = false;

  constructor(parts: WakeLoopParts) {
    this.#parts = parts;
  }

  /** True while a request lies with the server. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Resolves once `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    setMaxListeners(0, signal);
    const { clock, chance, untilConnected } = this.#parts;
    let failures = 0;
    let quick = 0;
    while (!signal.aborted)
      try {
        await untilConnected(signal);
        const beginMs = clock.monotonic();
        let restMs: number;
        try {
          restMs = await this.#ask(signal);
          failures = 0;
        } catch (error) {
          signal.throwIfAborted();
          failures += 1;
          restMs = retryDelayMs(failures, retryAfterMs(error), chance);
        }
        const tookMs = clock.monotonic() - beginMs;
        quick = tookMs < distanceMs ? quick + 1 : 0;
        if (quick > hasty.answers) restMs = Math.max(restMs, hasty.restMs * (0.5 + chance()));
        await clock.sleep(Math.max(restMs, distanceMs - tookMs), signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
  }

  /** One request; how long to rest after it, ms. */
  async #ask(signal: AbortSignal): Promise<number> {
    const path = `${agentApi.wake}?cursor=${encodeURIComponent(this.#cursor)}`;
    this.#hold(true);
    try {
      const answer = await this.#parts.link.call({ method: "GET", path, isHeld: true, signal });
      this.#parts.onMemory(answer.header(answerHeaders.memory));
      if (answer.header(answerHeaders.wake) === "off") return wakeOffMs(this.#parts.chance);
      if (answer.status === 200) {
        const news = wakeAnswer.safeParse(answer.body).data;
        if (news === undefined)
          throw new BackstayError("LINK_FAILED", { problem: "what came is no answer to a wake" });
        this.#cursor = news.cursor;
        this.#parts.onNews(news);
        // What is fetched now goes over this connection: another one would cost both sides more than the bundle does.
        if (news.bundle) return fetchingMs;
      }
      return retryAfterOf(answer) ?? 0;
    } finally {
      this.#hold(false);
    }
  }

  #hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#parts.onHeld();
  }
}
