/**
 * Requests of many agents by their own rules of pace, in virtual time: what a server sees before, during and after it was
 * away. No sockets, so that a hundred thousand machines and an hour take seconds.
 */
import { pollDelayMs, retryDelayMs } from "../../agent/control/link-pace.ts";
import { defaultPollSeconds } from "../../protocol/control/agent-api.ts";
import { seededRandom } from "../../storage/fault/seeded-random.ts";

export interface PaceModelOptions {
  readonly agents: number;
  readonly seed: number;
  /** A wake request is held for so long, seconds. */
  readonly holdSeconds: number;
  /** The server is away from then on, seconds from the start. */
  readonly outageAtSeconds: number;
  readonly outageSeconds: number;
  readonly untilSeconds: number;
}

/** One entry a second. */
export interface PaceModelResult {
  readonly polls: Uint32Array;
  readonly wakes: Uint32Array;
}

interface ModelAgent {
  pollFailures: number;
  wakeFailures: number;
  isConnected: boolean;
  /** Its wake loop waits for a good poll. */
  isWaiting: boolean;
}

interface Due {
  readonly agent: ModelAgent;
  readonly kind: "poll" | "wake";
  readonly atSeconds: number;
}

export function modelledPace(options: PaceModelOptions): PaceModelResult {
  const { outageAtSeconds, outageSeconds, untilSeconds, holdSeconds } = options;
  const random = seededRandom(options.seed);
  const result = { polls: new Uint32Array(untilSeconds), wakes: new Uint32Array(untilSeconds) };
  const wheel: Due[][] = Array.from({ length: untilSeconds }, () => []);
  const plan = (due: Due): void => void wheel[Math.floor(due.atSeconds)]?.push(due);
  const isAway = (at: number): boolean =>
    at >= outageAtSeconds && at < outageAtSeconds + outageSeconds;

  const poll = ({ agent, atSeconds }: Due): void => {
    result.polls[Math.floor(atSeconds)] += 1;
    let delayMs: number;
    if (isAway(atSeconds)) {
      agent.isConnected = false;
      agent.pollFailures += 1;
      delayMs = retryDelayMs(agent.pollFailures, undefined, random);
    } else {
      agent.isConnected = true;
      agent.pollFailures = 0;
      delayMs = pollDelayMs(defaultPollSeconds, random);
      if (agent.isWaiting) wake({ agent, kind: "wake", atSeconds });
    }
    plan({ agent, kind: "poll", atSeconds: atSeconds + delayMs / 1000 });
  };

  const wake = ({ agent, atSeconds }: Due): void => {
    agent.isWaiting = !agent.isConnected;
    if (agent.isWaiting) return;
    result.wakes[Math.floor(atSeconds)] += 1;
    const endSeconds = atSeconds + holdSeconds;
    const brokenSeconds = isAway(atSeconds)
      ? atSeconds
      : atSeconds < outageAtSeconds && endSeconds >= outageAtSeconds
        ? outageAtSeconds
        : undefined;
    agent.wakeFailures = brokenSeconds === undefined ? 0 : agent.wakeFailures + 1;
    const next =
      brokenSeconds === undefined
        ? endSeconds
        : brokenSeconds + retryDelayMs(agent.wakeFailures, undefined, random) / 1000;
    plan({ agent, kind: "wake", atSeconds: next });
  };

  for (let number = 0; number < options.agents; number += 1) {
    const agent = { pollFailures: 0, wakeFailures: 0, isConnected: false, isWaiting: true };
    plan({ agent, kind: "poll", atSeconds: random() * defaultPollSeconds });
  }
  // What is due within the same second joins while the list is walked.
  for (const dues of wheel) for (const due of dues) (due.kind === "poll" ? poll : wake)(due);
  return result;
}
