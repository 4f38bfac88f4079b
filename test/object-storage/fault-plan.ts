/** What a fault proxy does to which requests. A plan is a function, so a plan with a seed is the same each time. */
import { seededRandom } from "../../storage/fault/seeded-random.ts";

/** `up`: the body of a request. `down`: that of its answer. */
export type Way = "up" | "down";

export type Fault =
  /** The request is passed on later. */
  | { readonly kind: "delay"; readonly delayMs: number }
  | { readonly kind: "slow"; readonly way: Way; readonly bytesPerSecond: number }
  /** Both connections are reset when exactly so many bytes of the body have passed; a body of so many passes whole. */
  | { readonly kind: "cut"; readonly way: Way; readonly atByte: number }
  /** Nothing passes any more after so many bytes, and nothing is closed. */
  | { readonly kind: "stall"; readonly way: Way; readonly atByte: number }
  /** All bits of that byte are turned. */
  | { readonly kind: "flip"; readonly way: Way; readonly atByte: number }
  /** The answer's body ends after so many bytes, and its length says so. */
  | { readonly kind: "shorten"; readonly toBytes: number }
  /** The answer says that it is so much longer, or shorter, than it is; the connection ends with it. */
  | { readonly kind: "lie"; readonly deltaBytes: number }
  /** The server answers, and the client sees a reset connection. */
  | { readonly kind: "swallow" }
  /** The server is not asked. */
  | {
      readonly kind: "refuse";
      readonly status: number;
      readonly retryAfterSeconds?: number;
      readonly body?: string;
    };

/** A request that has reached the proxy. */
export interface PlannedRequest {
  /** Counted from 0 since the plan was given. */
  readonly index: number;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** Of the body by its header; 0 if that says none. */
  readonly bytesUp: number;
}

export type FaultPlan = (request: PlannedRequest) => Fault | undefined;

/** Which requests count. */
export interface RequestChoice {
  readonly method?: string;
  readonly target?: RegExp;
  /** Those with a body of so many bytes at least. */
  readonly bytesUpMin?: number;
}

/** Strikes the n-th request that counts, from 1, and `times - 1` after it. */
export function strikeAt(
  n: number,
  fault: Fault,
  choice: RequestChoice = {},
  times = 1,
): FaultPlan {
  let count = 0;
  return (request) => {
    if (!isChosen(request, choice)) return undefined;
    count += 1;
    return count >= n && count < n + times ? fault : undefined;
  };
}

/** Strikes that share of all requests, 0 to 1, with faults of all kinds that pass by themselves. Same seed, same storm. */
export function storm(seed: number, share: number): FaultPlan {
  const random = seededRandom(seed);
  return ({ bytesUp }) => {
    const [isStruck, kind, place] = [random() < share, random(), random()];
    if (!isStruck) return undefined;
    const up = Math.floor(place * (bytesUp + 1));
    const down = Math.floor(place * 2000);
    const faults: readonly Fault[] = [
      { kind: "cut", way: "up", atByte: up },
      { kind: "cut", way: "down", atByte: down },
      { kind: "swallow" },
      { kind: "refuse", status: 503 },
      { kind: "refuse", status: 500 },
      { kind: "refuse", status: 429, retryAfterSeconds: 1 },
      { kind: "delay", delayMs: Math.ceil(place * 50) },
      { kind: "lie", deltaBytes: 7 },
    ];
    return faults[Math.floor(kind * faults.length)];
  };
}

function isChosen(request: PlannedRequest, choice: RequestChoice): boolean {
  if (choice.method !== undefined && request.method !== choice.method) return false;
  if (choice.target !== undefined && !choice.target.test(request.target)) return false;
  return request.bytesUp >= (choice.bytesUpMin ?? 0);
}
