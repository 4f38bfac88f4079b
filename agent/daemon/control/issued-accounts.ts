/**
 * Accounts of storages that the server issues to this machine. The newest of each place is kept as it came, sealed to this
 * machine, so that a restart without the server goes on with it until it ends.
 */
import type { KeyObject } from "node:crypto";
import type { Clock } from "../../../platform/ports/clock.ts";
import { BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import { type AgentProblemCode, agentApi } from "../../../protocol/control/agent-api.ts";
import { refusalOf } from "../../../protocol/control/agent-problem.ts";
import { openSecret } from "../../../protocol/control/sealed-secret.ts";
import {
  type StorageAccountContent,
  storageAccountAnswer,
  storageAccountContent,
} from "../../../protocol/control/storage-account.ts";
import type { RouteAccount, RouteOrder } from "../../../protocol/run-order.ts";
import type { StorageAccount } from "../../../storage/account-source.ts";
import { type FreshAccount, RenewingAccounts } from "../../../storage/renewing-accounts.ts";
import type { ServerCalls } from "../../control/server-calls.ts";
import type { FactStore } from "../../state/state.ts";

/** Sealed accounts, by place. */
export const accountsFact = "storage-accounts";

export interface IssuedAccountsParts {
  readonly link: ServerCalls;
  readonly facts: FactStore;
  /** Private X25519 key of this machine. */
  readonly sealingKey: KeyObject;
  readonly clock: Clock;
  /** The server's time, ms since 1970. */
  readonly nowMs: () => number;
  /** Ends with the membership. */
  readonly signal: AbortSignal;
  /** Told of failures while the account of before is still good. */
  readonly onFailure: (error: unknown) => void;
}

interface Place {
  readonly source: RenewingAccounts;
  /** Given last. */
  held: StorageAccount | undefined;
}

/** Refusals after which asking again in the same run is of no use. */
const final: ReadonlySet<AgentProblemCode | undefined> = new Set<AgentProblemCode>([
  "agent-unknown",
  "agent-suspended",
  "agent-revoked",
  "identity-conflict",
  "not-found",
]);

export class IssuedAccounts {
  readonly #parts: IssuedAccountsParts;
  readonly #places = new Map<string, Place>();

  constructor(parts: IssuedAccountsParts) {
    this.#parts = parts;
  }

  /**
   * The account of an issued route: at once while there is one that is good. STORE_UNAVAILABLE if the server can't be asked
   * or has none now, STORE_DENIED if it refuses.
   */
  async account(route: RouteOrder, refused: RouteAccount | undefined): Promise<RouteAccount> {
    const { signal, nowMs } = this.#parts;
    const place = this.#placeOf(route);
    const isHeld = refused !== undefined && refused.settings === place.held?.settings;
    const held = await place.source.account(signal, isHeld ? place.held : undefined);
    place.held = held;
    const expiresMs = held.expiresMs ?? 0;
    return { settings: held.settings, expiresMs, remainingMs: Math.max(1, expiresMs - nowMs()) };
  }

  #placeOf(route: RouteOrder): Place {
    const name = nameOf(route);
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const { clock, onFailure, nowMs } = this.#parts;
    const source = new RenewingAccounts({
      ask: async (refused) => await this.#ask(route, refused !== undefined),
      clock,
      random: Math.random,
      // Who asks has patience of its own.
      firstWaitMs: 0,
      nextWaitMs: 0,
      onFailure,
    });
    const place: Place = { source, held: undefined };
    const kept = this.#kept(route);
    if (kept !== undefined && kept.expiresMs > nowMs()) place.held = source.keep(this.#fresh(kept));
    this.#places.set(name, place);
    return place;
  }

  async #ask(route: RouteOrder, isRefused: boolean): Promise<FreshAccount> {
    const { issuedFor: repository = "", url: address } = route;
    const query = new URLSearchParams({
      repository,
      address,
      ...(isRefused && { refused: "yes" }),
    });
    const { link, signal } = this.#parts;
    try {
      const path = `${agentApi.storageAccount}?${query.toString()}`;
      const { body } = await link.call({ method: "GET", path, signal });
      const { account } = storageAccountAnswer.parse(body);
      const content = this.#opened(account, route);
      this.#keep(route, account);
      return this.#fresh(content);
    } catch (error) {
      signal.throwIfAborted();
      const problem = isBackstayError(error)
        ? `the server gives no account: ${String(error.context["detail"] ?? error.context["problem"] ?? error.message)}`
        : "the server's answer can't be used";
      const code = final.has(refusalOf(error)) ? "STORE_DENIED" : "STORE_UNAVAILABLE";
      throw new BackstayError(code, { problem }, error);
    }
  }

  #fresh({ settings, issuedMs, expiresMs }: StorageAccountContent): FreshAccount {
    return {
      account: { settings, expiresMs },
      remainingMs: expiresMs - this.#parts.nowMs(),
      lifeMs: expiresMs - issuedMs,
    };
  }

  /** SEALED_UNREADABLE, or an error of the schema, for what is not this machine's for that place. */
  #opened(sealed: string, { issuedFor, url }: RouteOrder): StorageAccountContent {
    const text = openSecret(sealed, this.#parts.sealingKey).toString("utf8");
    const content = storageAccountContent.parse(JSON.parse(text));
    if (content.repositoryId !== issuedFor || content.address !== url)
      throw new BackstayError("SEALED_UNREADABLE", { problem: "it is for another place" });
    return content;
  }

  #kept(route: RouteOrder): StorageAccountContent | undefined {
    const sealed = this.#keptAll()[nameOf(route)];
    if (sealed === undefined) return undefined;
    try {
      return this.#opened(sealed, route);
    } catch {
      // Of another identity, or damaged: the server is asked.
      return undefined;
    }
  }

  #keep(route: RouteOrder, sealed: string): void {
    this.#parts.facts.put(accountsFact, { ...this.#keptAll(), [nameOf(route)]: sealed });
  }

  #keptAll(): Readonly<Record<string, string>> {
    return (this.#parts.facts.get(accountsFact) ?? {}) as Readonly<Record<string, string>>;
  }
}

function nameOf({ issuedFor = "", url }: RouteOrder): string {
  return `${issuedFor} ${url}`;
}
