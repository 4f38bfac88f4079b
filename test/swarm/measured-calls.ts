/** A machine's way to the server, with a stop watch on it, and answers that get lost on purpose. */
import type { ServerAnswer, ServerCall, ServerCalls } from "../../agent/control/server-calls.ts";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { agentApi } from "../../protocol/control/agent-api.ts";
import type { SwarmMeter } from "./swarm-meter.ts";

export class MeasuredCalls implements ServerCalls {
  readonly #link: ServerCalls;
  readonly #meter: SwarmMeter;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #losesAnswer: () => boolean;

  /**
   * `address` is what the server takes for the machine's, as a proxy would say it: its limits count by address.
   * `losesAnswer` is asked for each answer to reports: true if the machine is not to get it.
   */
  constructor(
    link: ServerCalls,
    meter: SwarmMeter,
    address: string,
    losesAnswer: () => boolean = () => false,
  ) {
    this.#link = link;
    this.#meter = meter;
    this.#headers = { "x-forwarded-for": address };
    this.#losesAnswer = losesAnswer;
  }

  async call(call: ServerCall): Promise<ServerAnswer> {
    const route = routeOf(call.path);
    const beginMs = performance.now();
    this.#meter.begin(Date.now());
    try {
      const answer = await this.#link.call({
        ...call,
        headers: { ...call.headers, ...this.#headers },
      });
      // How long a held request takes says nothing.
      if (call.isHeld !== true) this.#meter.answered(route, performance.now() - beginMs);
      this.#meter.ended(route, String(answer.status));
      if (call.path === agentApi.reports && this.#losesAnswer())
        throw new BackstayError("LINK_FAILED", { problem: "the answer was lost on purpose" });
      return answer;
    } catch (error) {
      if (!call.signal.aborted) this.#meter.ended(route, outcomeOf(error));
      throw error;
    }
  }
}

/** The last word of the path that is no id. */
function routeOf(path: string): string {
  const [, , , route, , detail] = path.replace(/\?.*/, "").split("/");
  return detail === undefined ? route : `${route} ${detail}`;
}

function outcomeOf(error: unknown): string {
  if (!isBackstayError(error)) return String(error);
  const { problem } = error.context;
  return typeof problem === "string" ? problem : error.code;
}
