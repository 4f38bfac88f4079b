/** Accounts that the engine asks its starter for while it works, by route. */
import type { Clock } from "../../platform/ports/clock.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { AccountAnswer } from "../../protocol/run-order.ts";
import type { AccountSource } from "../../storage/account-source.ts";
import { type FreshAccount, RenewingAccounts } from "../../storage/renewing-accounts.ts";

export interface IssuedAccountsParts {
  readonly clock: Clock;
  /** Sends the question. */
  readonly ask: (route: number, isRefused: boolean) => void;
  /** Told of each secret, so that no message shows it. */
  readonly hide: (secrets: readonly string[]) => void;
}

/** As patient as a store that does not answer. */
const firstWaitMs = 15 * 60_000;

export class IssuedAccounts {
  readonly #parts: IssuedAccountsParts;
  readonly #sources = new Map<number, AccountSource>();
  readonly #waiting = new Map<number, PromiseWithResolvers<FreshAccount>>();

  constructor(parts: IssuedAccountsParts) {
    this.#parts = parts;
  }

  /**
   * The one source of a route. Who had an account and can't get the next waits, until the limits of the session end it: what
   * is stored by then is not sent again.
   */
  of(route: number): AccountSource {
    const known = this.#sources.get(route);
    if (known !== undefined) return known;
    const source = new RenewingAccounts({
      ask: async (refused) => await this.#ask(route, refused !== undefined),
      clock: this.#parts.clock,
      random: Math.random,
      firstWaitMs,
      nextWaitMs: Number.POSITIVE_INFINITY,
    });
    this.#sources.set(route, source);
    return source;
  }

  /** The starter has answered. */
  answered({ route, answer }: AccountAnswer): void {
    const waiting = this.#waiting.get(route);
    this.#waiting.delete(route);
    if ("problem" in answer) {
      const code = answer.kind === "temporary" ? "STORE_UNAVAILABLE" : "STORE_DENIED";
      waiting?.reject(new BackstayError(code, { problem: answer.problem }));
      return;
    }
    const { settings, expiresMs, remainingMs } = answer;
    this.#parts.hide(Object.values(settings));
    waiting?.resolve({ account: { settings, expiresMs }, remainingMs });
  }

  async #ask(route: number, isRefused: boolean): Promise<FreshAccount> {
    const waiting = Promise.withResolvers<FreshAccount>();
    this.#waiting.set(route, waiting);
    this.#parts.ask(route, isRefused);
    return await waiting.promise;
  }
}
