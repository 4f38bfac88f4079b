/** What the requests of a store were, in the kinds that providers charge by. Adapters count each attempt that goes out. */
import type { RequestSums } from "../protocol/request-sums.ts";

export type RequestKind = keyof RequestSums["requests"];

export class RequestCounts {
  readonly #requests: Record<RequestKind, number> = {
    put: 0,
    get: 0,
    list: 0,
    head: 0,
    delete: 0,
    other: 0,
  };
  #bytesUp = 0;
  #bytesDown = 0;

  /** One request that went out, with the bytes of its body. Failed ones count too: they are charged. */
  request(kind: RequestKind, bytesUp = 0): void {
    this.#requests[kind] += 1;
    this.#bytesUp += bytesUp;
  }

  /** Bytes of an answer's body, as they come. */
  received(bytes: number): void {
    this.#bytesDown += bytes;
  }

  /** The sums at this moment; the object does not change any more. */
  get sums(): RequestSums {
    return {
      requests: { ...this.#requests },
      bytesUp: this.#bytesUp,
      bytesDown: this.#bytesDown,
    };
  }
}
