/** The real gateway on a free port of this machine, with a tenant, a repository and machines that a test makes. */
import { createHash, randomBytes, randomUUIDv7 } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { Registry } from "prom-client";
import type { GatewayStorage } from "../../protocol/control/repository-route.ts";
import { type GatewayParts, gatewayRoutes } from "../../server/gateway/gateway-routes.ts";
import { type App, makeHttpApp } from "../../server/http/http-app.ts";
import type { OpenStoreOptions } from "../../storage/open-store.ts";
import { addMachine, addTenant, type RowGround } from "../server/fleet-rows.ts";
import type { TestGround } from "../server/test-ground.ts";

/** A machine's account at the gateway. */
export interface GatewayMachine {
  readonly tenantId: string;
  readonly repositoryId: string;
  readonly agentId: string;
  readonly password: string;
  /** Its address below the server's, as `/gateway/…/`. */
  readonly path: string;
}

export interface Limits {
  readonly storedBytesMax?: number;
  readonly storedBytesWarn?: number;
}

export class GatewayScene {
  readonly ground: TestGround;
  readonly registry = new Registry();
  readonly #options: Partial<GatewayParts>;
  #app: App | undefined;

  constructor(ground: TestGround, options: Partial<GatewayParts> = {}) {
    this.ground = ground;
    this.#options = options;
  }

  /** Starts listening; may be called again after `stop`, with the same data. */
  async start(): Promise<void> {
    const { ground, registry } = this;
    registry.clear();
    const app = makeHttpApp({ log: ground.log, trustedProxies: [] });
    await gatewayRoutes(app, { ground, metrics: registry, ...this.#options });
    await app.listen({ host: "127.0.0.1", port: 0 });
    this.#app = app;
  }

  /** Lets go of it as the system does of a killed process: nothing ends in order. */
  abandon(): void {
    this.#app?.server.closeAllConnections();
    this.#app?.server.close();
    this.#app = undefined;
  }

  async stop(): Promise<void> {
    await this.#app?.close();
    this.#app = undefined;
  }

  get port(): number {
    const address = this.#app?.server.address() ?? null;
    if (address === null || typeof address === "string")
      throw new Error("the gateway does not listen");
    return address.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Where the gateway keeps the files of a machine. */
  folderOf({ tenantId, repositoryId, agentId }: GatewayMachine): string {
    const { dataFolder } = this.ground.settings;
    return path.join(dataFolder, "repositories", tenantId, repositoryId, agentId);
  }

  /** A tenant with a machine that has an account in a repository of its own. */
  async machine(quotas: Limits = {}, tenantQuotas: Limits = {}): Promise<GatewayMachine> {
    return await addGatewayMachine(this.ground, quotas, tenantQuotas);
  }

  async machineOf(tenantId: string, quotas: Limits = {}): Promise<GatewayMachine> {
    return await addMachineOf(this.ground, tenantId, quotas);
  }

  /** From now on the gateway keeps the files of a machine's repository there; undefined: in its folder. */
  async keepIn(
    { repositoryId }: GatewayMachine,
    storage: GatewayStorage | undefined,
  ): Promise<void> {
    await this.ground.database
      .updateTable("repositories")
      .set({ routes: JSON.stringify([{ kind: "gateway", ...(storage && { storage }) }]) })
      .where("id", "=", repositoryId)
      .execute();
  }

  /** How many files are about to appear or to go, as the database has it. */
  async changing(): Promise<number> {
    const { count } = await this.ground.database
      .selectFrom("gateway_changes")
      .select(({ fn }) => fn.countAll().as("count"))
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** `rest:` and the machine's repository, without its account. */
  address({ path: place }: GatewayMachine): string {
    return `rest:${this.url}${place}`;
  }

  /** The account as settings of a store. */
  options({ agentId, password }: GatewayMachine): OpenStoreOptions {
    return { environment: { RESTIC_REST_USERNAME: agentId, RESTIC_REST_PASSWORD: password } };
  }

  /** A request with the machine's account; `target` is what follows its path. */
  async ask(
    machine: GatewayMachine,
    method: string,
    target: string,
    parts: { body?: Uint8Array<ArrayBuffer>; headers?: Record<string, string> } = {},
  ): Promise<Response> {
    return await fetch(`${this.url}${machine.path}${target}`, {
      method,
      headers: { authorization: basic(machine), ...parts.headers },
      ...(parts.body !== undefined && { body: parts.body }),
    });
  }

  /** What lies in the folder of a machine. */
  stored(machine: GatewayMachine): { bytes: number; objects: number } {
    const sizes = this.filesOf(machine).map((file) => statSync(file).size);
    return { bytes: sizes.reduce((sum, size) => sum + size, 0), objects: sizes.length };
  }

  /** Paths of all files of a machine. */
  filesOf(machine: GatewayMachine): string[] {
    const folder = this.folderOf(machine);
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name));
  }

  /** What the database counts. */
  async counted({ agentId }: GatewayMachine): Promise<{ bytes: number; objects: number }> {
    const row = await this.ground.database
      .selectFrom("machine_repositories")
      .select(["stored_bytes", "stored_objects"])
      .where("agent_id", "=", agentId)
      .executeTakeFirstOrThrow();
    return { bytes: row.stored_bytes, objects: row.stored_objects };
  }
}

/** Value of the header for a machine's account. */
export function basic({ agentId, password }: GatewayMachine): string {
  return `Basic ${Buffer.from(`${agentId}:${password}`).toString("base64")}`;
}

/** Name and content of a file as the gateway takes it. */
export function hashed(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** A tenant with a machine that has an account in a repository of its own. */
export async function addGatewayMachine(
  rows: RowGround,
  quotas: Limits = {},
  tenantQuotas: Limits = {},
): Promise<GatewayMachine> {
  const tenantId = await addTenant(rows, { quotas: JSON.stringify(tenantQuotas) });
  return await addMachineOf(rows, tenantId, quotas);
}

async function addMachineOf(
  rows: RowGround,
  tenantId: string,
  quotas: Limits,
): Promise<GatewayMachine> {
  const repositoryId = await addRepository(rows, tenantId, quotas);
  const agentId = await addMachine(rows, tenantId, { kind: "server" });
  const password = randomBytes(32).toString("base64url");
  await rows.database
    .insertInto("machine_repositories")
    .values({
      agent_id: agentId,
      repository_id: repositoryId,
      tenant_id: tenantId,
      gateway_hash: hashed(Buffer.from(password)),
      gateway_sealed: "",
      password_sealed: "",
      previous_password_sealed: null,
      stored_bytes: 0,
      stored_objects: 0,
      created_ms: rows.now(),
    })
    .execute();
  const place = `/gateway/${repositoryId}/${agentId}/`;
  return { tenantId, repositoryId, agentId, password, path: place };
}

async function addRepository(
  { database, now }: RowGround,
  tenantId: string,
  quotas: Limits,
): Promise<string> {
  const id = randomUUIDv7();
  await database
    .insertInto("repositories")
    .values({
      id,
      tenant_id: tenantId,
      name: `repository-${id}`,
      routes: "[]",
      quotas: JSON.stringify(quotas),
      epoch: 1,
      destination: null,
      unsigned: null,
      created_ms: now(),
      version: 1,
    })
    .execute();
  return id;
}
