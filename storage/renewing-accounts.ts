/**
 * An account that ends, asked for again when a third of its life is left, and by whoever needs one only when there is none.
 * While none is to be had the one before is used until it ends.
 */
import type { Clock } from "../platform/ports/clock.ts";
import { isBackstayError } from "../protocol/backstay-error.ts";
import type { AccountSource, StorageAccount } from "./account-source.ts";
import { orAborted } from "./or-aborted.ts";

export interface FreshAccount {
  readonly account: StorageAccount;
  /** What is left of its life, ms: the clock that it ends by may be another than this machine's. */
  readonly remainingMs: number;
  /** Its whole life, ms; if absent it begins now. */
  readonly lifeMs?: number;
}

export interface RenewingAccountsOptions {
  /** Asks for one; `refused` is what the storage does not take any more. Rejects with errors of the catalogue. */
  readonly ask: (refused: StorageAccount | undefined) => Promise<FreshAccount>;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** So long who asks for the first waits while failures may pass, ms; 0: not at all. */
  readonly firstWaitMs: number;
  /** The same for who had one before. */
  readonly nextWaitMs: number;
  /** Told of each failure that is not passed on. */
  readonly onFailure?: (error: unknown) => void;
}

const firstDelayMs = 1000;
const delayMsMax = 60_000;

interface Held {
  readonly account: StorageAccount;
  readonly lifeMs: number;
  readonly endMs: number;
}

export class RenewingAccounts implements AccountSource {
  readonly #options: RenewingAccountsOptions;
  #held: Held | undefined;
  #isEnded = false;
  #asking: Promise<StorageAccount> | undefined;
  #failures = 0;
  #askAgainMs = 0;

  constructor(options: RenewingAccountsOptions) {
    this.#options = options;
  }

  async account(signal: AbortSignal, refused?: StorageAccount): Promise<StorageAccount> {
    signal.throwIfAborted();
    if (refused !== undefined && refused === this.#held?.account) this.#isEnded = true;
    const good = this.#good();
    if (good !== undefined) return good;
    const { clock, firstWaitMs, nextWaitMs } = this.#options;
    const untilMs = clock.monotonic() + (this.#held === undefined ? firstWaitMs : nextWaitMs);
    for (;;)
      try {
        return await orAborted(this.#asked(), signal);
      } catch (error) {
        signal.throwIfAborted();
        const delayMs = this.#delayMs();
        const mayPass = isBackstayError(error) && error.kind === "temporary";
        if (!mayPass || clock.monotonic() + delayMs > untilMs) throw error;
        await clock.sleep(delayMs, signal);
      }
  }

  /** Takes one that was kept from before. */
  keep(fresh: FreshAccount): StorageAccount {
    const { account, remainingMs, lifeMs = remainingMs } = fresh;
    this.#held = { account, lifeMs, endMs: this.#options.clock.now() + remainingMs };
    this.#isEnded = false;
    this.#failures = 0;
    return account;
  }

  /** The one that is held while it lives; its renewal begins in time. */
  #good(): StorageAccount | undefined {
    const held = this.#held;
    if (held === undefined || this.#isEnded) return undefined;
    const nowMs = this.#options.clock.now();
    const leftMs = held.endMs - nowMs;
    if (leftMs <= 0) return undefined;
    // A clock that was set back must not make it live longer.
    const isDue = leftMs <= held.lifeMs / 3 || leftMs > held.lifeMs;
    if (isDue && nowMs >= this.#askAgainMs)
      this.#asked().catch((error: unknown) => {
        this.#askAgainMs = this.#options.clock.now() + this.#delayMs();
        this.#options.onFailure?.(error);
      });
    return held.account;
  }

  /** One question at a time, however many wait for the answer. */
  async #asked(): Promise<StorageAccount> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return await this.#asking;
  }

  async #ask(): Promise<StorageAccount> {
    try {
      return this.keep(await this.#options.ask(this.#isEnded ? this.#held?.account : undefined));
    } catch (error) {
      this.#failures += 1;
      throw error;
    }
  }

  /** Spread, so that many do not come back at the same moment. */
  #delayMs(): number {
    const doubled = Math.min(delayMsMax, firstDelayMs * 2 ** Math.max(0, this.#failures - 1));
    return doubled * (0.5 + this.#options.random());
  }
}
