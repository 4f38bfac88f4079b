/** How often each of many may ask: a bucket of tokens each, that fills at a steady rate. */

export interface RateLimit {
  /** Requests that may come at once. */
  readonly burst: number;
  readonly perSecond: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** More are not remembered; those whose bucket is full again are forgotten first. */
const bucketsMax = 50_000;

export class TokenBuckets {
  readonly #limit: RateLimit;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** `now` in ms of any clock that does not jump. */
  constructor(limit: RateLimit, now: () => number) {
    this.#limit = limit;
    this.#now = now;
  }

  /** Takes `cost` tokens. 0: it may be done; else seconds to wait until it may be. */
  take(key: string, cost = 1): number {
    const bucket = this.#bucketOf(key);
    if (bucket.tokens >= cost) {
      bucket.tokens -= cost;
      return 0;
    }
    return Math.max(1, Math.ceil((cost - bucket.tokens) / this.#limit.perSecond));
  }

  get size(): number {
    return this.#buckets.size;
  }

  #bucketOf(key: string): Bucket {
    const nowMs = this.#now();
    const known = this.#buckets.get(key);
    if (known !== undefined) {
      known.tokens = this.#refilled(known, nowMs);
      known.atMs = nowMs;
      return known;
    }
    if (this.#buckets.size >= bucketsMax) this.#makeRoom(nowMs);
    const bucket = { tokens: this.#limit.burst, atMs: nowMs };
    this.#buckets.set(key, bucket);
    return bucket;
  }

  #refilled({ tokens, atMs }: Bucket, nowMs: number): number {
    const { burst, perSecond } = this.#limit;
    return Math.min(burst, tokens + (Math.max(0, nowMs - atMs) / 1000) * perSecond);
  }

  #makeRoom(nowMs: number): void {
    for (const [key, bucket] of this.#buckets)
      if (this.#refilled(bucket, nowMs) >= this.#limit.burst) this.#buckets.delete(key);
    // Everybody asks a lot: the oldest tenth starts anew.
    for (const key of this.#buckets.keys()) {
      if (this.#buckets.size < bucketsMax * 0.9) break;
      this.#buckets.delete(key);
    }
  }
}
