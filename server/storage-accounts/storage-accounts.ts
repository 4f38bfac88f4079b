/**
 * Accounts of a storage for machines: made with the server's own account, good for one machine's place and for a time, sealed
 * to the machine. What was made is given out again for half of its life, and few are made at once, so that a night in which
 * all machines begin at the same minute does not exhaust the storage's token service.
 */
import { createHash } from "node:crypto";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { agentRefusal } from "../../protocol/control/agent-problem.ts";
import {
  type RepositoryRoute,
  type RetiringRoute,
  repositoryRoute,
  retiringRoute,
} from "../../protocol/control/repository-route.ts";
import { sealSecret } from "../../protocol/control/sealed-secret.ts";
import type {
  StorageAccountContent,
  StorageAccountQuery,
} from "../../protocol/control/storage-account.ts";
import { storageSettings } from "../../protocol/storage-settings.ts";
import { RequestSlots } from "../../storage/limit/request-slots.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import { tenantSecret } from "../ground/tenant-secret.ts";
import { AzureSasIssuer } from "./azure-sas-issuer.ts";
import { GoogleDownscopedIssuer } from "./google-downscoped-issuer.ts";
import type { AccountOrder, IssuedAccount } from "./issued-account.ts";
import { s3Account } from "./s3-sts-issuer.ts";

/** Makes one. Rejects with whatever went wrong. */
export type AccountMaker = (order: AccountOrder) => Promise<IssuedAccount>;

export interface StorageAccountsParts {
  readonly ground: ServerGround;
  /** By which proxies the server gets out, as variables of the environment. */
  readonly environment?: AccountOrder["own"];
  /** Of all kinds of storage unless given. */
  readonly make?: AccountMaker;
}

/** The machine that asks. */
export interface AskingMachine {
  readonly id: string;
  readonly tenantId: string;
}

type IssuedRoute = Extract<RepositoryRoute, { kind: "direct" }> & {
  readonly issuer: NonNullable<Extract<RepositoryRoute, { kind: "direct" }>["issuer"]>;
};

interface Made {
  readonly account: IssuedAccount;
  readonly madeMs: number;
}

/** Questions to token services at once, and those that may wait for that. */
const makingMax = 16;
const waitingMax = 500;
const makingMsMax = 30_000;
/** An account that a storage refuses is not made again more often than that. */
const anewMsMin = 30_000;
/** After a failure nothing is asked for the same place for so long. */
const quietMs = 5000;
const keptMax = 50_000;

export class StorageAccounts {
  readonly #ground: ServerGround;
  readonly #environment: AccountOrder["own"];
  readonly #make: AccountMaker;
  readonly #slots = new RequestSlots(makingMax, Number.MAX_SAFE_INTEGER);
  readonly #made = new Map<string, Made>();
  readonly #making = new Map<string, Promise<Made>>();
  readonly #quietUntilMs = new Map<string, number>();
  #waiting = 0;

  constructor({ ground, environment = {}, make = usualMaker() }: StorageAccountsParts) {
    this.#ground = ground;
    this.#environment = environment;
    this.#make = make;
  }

  /**
   * The account of a machine for one of its addresses: compact JWE to its sealing key. AGENT_REFUSED: `not-found` if the
   * machine has no such place, `account-unavailable`, `overloaded`.
   */
  async sealedFor(machine: AskingMachine, query: StorageAccountQuery): Promise<string> {
    const { sealingKey, route } = await this.#place(machine, query);
    const own = await this.#own(machine, route);
    const { address, repository: repositoryId } = query;
    const name = createHash("sha256")
      .update(JSON.stringify([machine.id, repositoryId, address, route.issuer, own]))
      .digest("base64url");
    const { account, madeMs } =
      this.#usable(name, query) ?? (await this.#madeOnce(name, machine, query, route, own));
    const content: StorageAccountContent = {
      repositoryId,
      address,
      settings: { ...account.settings },
      issuedMs: madeMs,
      expiresMs: account.expiresMs,
    };
    return sealSecret(Buffer.from(JSON.stringify(content)), sealingKey);
  }

  #usable(name: string, { refused }: StorageAccountQuery): Made | undefined {
    const known = this.#made.get(name);
    if (known === undefined) return undefined;
    const nowMs = this.#ground.now();
    const { madeMs, account } = known;
    if (refused !== undefined) return nowMs - madeMs < anewMsMin ? known : undefined;
    return account.expiresMs - nowMs > (account.expiresMs - madeMs) / 2 ? known : undefined;
  }

  async #madeOnce(
    name: string,
    machine: AskingMachine,
    query: StorageAccountQuery,
    route: IssuedRoute,
    own: AccountOrder["own"],
  ): Promise<Made> {
    const making =
      this.#making.get(name) ??
      this.#makeOne(machine, query, route, own).finally(() => this.#making.delete(name));
    this.#making.set(name, making);
    const made = await making;
    this.#keep(name, made);
    return made;
  }

  async #makeOne(
    machine: AskingMachine,
    { repository: repositoryId, address }: StorageAccountQuery,
    { issuer }: IssuedRoute,
    own: AccountOrder["own"],
  ): Promise<Made> {
    const { now, database, audit, log, signal } = this.#ground;
    if (this.#waiting >= waitingMax) throw agentRefusal("overloaded");
    if (now() < (this.#quietUntilMs.get(repositoryId) ?? 0))
      throw agentRefusal("account-unavailable");
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(makingMsMax)]);
    this.#waiting += 1;
    try {
      const leave = await this.#slots.enter(1, inTime).finally(() => {
        this.#waiting -= 1;
      });
      try {
        const madeMs = now();
        const order = { issuer, address, agentId: machine.id, own, nowMs: madeMs, signal: inTime };
        const account = await this.#make(order);
        await database.transaction().execute(async (queries) => {
          await audit.record(queries, {
            tenantId: machine.tenantId,
            actor: `agent:${machine.id}`,
            action: "storage-account.issue",
            target: repositoryId,
            details: { kind: issuer.kind, address, expiresMs: account.expiresMs },
          });
        });
        return { account, madeMs };
      } finally {
        leave();
      }
    } catch (error) {
      this.#quietUntilMs.set(repositoryId, now() + quietMs);
      log.failure("No account for a storage is to be had.", error);
      throw agentRefusal("account-unavailable");
    }
  }

  #keep(name: string, made: Made): void {
    this.#made.delete(name);
    this.#made.set(name, made);
    const [oldest] = this.#made.keys();
    if (this.#made.size > keptMax && oldest !== undefined) this.#made.delete(oldest);
  }

  /** A machine has a place where its policies have ever sent it, and keeps it as long as the repository is there. */
  async #place(
    { id: agentId, tenantId }: AskingMachine,
    { repository, address }: StorageAccountQuery,
  ): Promise<{ readonly sealingKey: string; readonly route: IssuedRoute }> {
    const row = await this.#ground.database
      .selectFrom("machine_repositories as mine")
      .innerJoin("agents as agent", "agent.id", "mine.agent_id")
      .innerJoin("repositories as repository", "repository.id", "mine.repository_id")
      .select(["agent.sealing_key", "repository.routes", "repository.retiring"])
      .where("mine.agent_id", "=", agentId)
      .where("mine.repository_id", "=", repository)
      .where("repository.tenant_id", "=", tenantId)
      .executeTakeFirst();
    const route =
      row && routesOf(row).find((each) => addressOf(each, tenantId, agentId) === address);
    if (row === undefined || route === undefined) throw agentRefusal("not-found");
    return { sealingKey: row.sealing_key, route };
  }

  async #own(
    { tenantId }: AskingMachine,
    { secret = "" }: IssuedRoute,
  ): Promise<AccountOrder["own"]> {
    const { database, log } = this.#ground;
    const value = await tenantSecret(database, this.#ground, tenantId, secret);
    try {
      if (value !== undefined)
        return { ...this.#environment, ...storageSettings(secret, value.toString("utf8").trim()) };
    } catch (error) {
      if (!isBackstayError(error, "SECRET_INVALID")) throw error;
      log.failure("The server's own account for a storage can't be read.", error);
    }
    throw agentRefusal("account-unavailable");
  }
}

/** The makers of all kinds, each loaded with its first account. */
function usualMaker(): AccountMaker {
  const azure = new AzureSasIssuer();
  const google = new GoogleDownscopedIssuer();
  return async ({ issuer, ...rest }) => {
    switch (issuer.kind) {
      case "s3-sts":
        return await s3Account({ issuer, ...rest });
      case "azure-sas":
        return await azure.account({ issuer, ...rest });
      case "google-downscoped":
        return await google.account({ issuer, ...rest });
    }
  };
}

/** Those that are issued, of now and those that were replaced and that machines may still go by. */
function routesOf(row: { readonly routes: string; readonly retiring: string }): IssuedRoute[] {
  const now = repositoryRoute.array().parse(JSON.parse(row.routes));
  const retiring: RetiringRoute[] = retiringRoute.array().parse(JSON.parse(row.retiring));
  return [...now, ...retiring.map(({ route }) => route)].flatMap((route) =>
    route.kind === "direct" && route.issuer !== undefined
      ? [{ ...route, issuer: route.issuer }]
      : [],
  );
}

function addressOf({ url }: IssuedRoute, tenantId: string, agentId: string): string {
  return url.replaceAll("{tenant}", tenantId).replaceAll("{agent}", agentId);
}
