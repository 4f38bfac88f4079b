/**
 * The licence of this installation. Without one the built-in community licence counts: any number of machines, without
 * end. A licence only ever keeps new machines out; it stops no backup, no restore, and no machine that is there.
 */
import type { Selectable } from "kysely";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { agentRefusal } from "../../protocol/control/agent-problem.ts";
import {
  type EntitlementStand,
  entitlementStand,
} from "../../protocol/control/entitlement-stand.ts";
import type { LicenceDocument } from "../../protocol/control/licence.ts";
import type { KnownKey } from "../../protocol/control/signed-document.ts";
import type { Tables } from "../database/tables.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { builtInIssuer, readLicence } from "./licence-issuers.ts";

export type MachineKind = Tables["agents"]["kind"];

/** Machines of one kind; `most` null: any number. */
export interface MachineCount {
  readonly used: number;
  readonly most: number | null;
}

export interface LicenceView {
  readonly id: string;
  readonly holder: string;
  readonly stand: EntitlementStand;
  /** Null: without end. */
  readonly validUntilMs: number | null;
  readonly graceDays: number;
  readonly machines: Readonly<Record<MachineKind, MachineCount>>;
  /** Null: built in. */
  readonly installedMs: number | null;
  /** As its issuer gave it; null: built in. */
  readonly jws: string | null;
}

/** For every installation that has no other. */
export const communityLicence: LicenceDocument = {
  type: "licence",
  id: "community",
  holder: "community",
  machines: {},
  graceDays: 0,
  issuedMs: 0,
};

const kinds: readonly MachineKind[] = ["workstation", "server"];

interface InstalledLicence {
  readonly licence: LicenceDocument;
  readonly installedMs: number | null;
  readonly jws: string | null;
}

export class Licences {
  readonly #ground: ServerGround;
  readonly #issuer: KnownKey;

  constructor(ground: ServerGround, issuer: KnownKey = builtInIssuer) {
    this.#ground = ground;
    this.#issuer = issuer;
  }

  /** The licence that counts from now on. LICENCE_INVALID if it is not the issuer's, or has lapsed. Repeating it is harmless. */
  async install(actor: string, jws: string): Promise<LicenceView> {
    const licence = readLicence(jws, this.#issuer);
    const { database, audit, wakeups } = this.#ground;
    const now = this.#ground.now();
    if (entitlementStand(licence, now) === "lapsed")
      throw new BackstayError("LICENCE_INVALID", { licence: licence.id, problem: "it has lapsed" });
    await database.transaction().execute(async (queries) => {
      const row = { id: licence.id, jws: jws.trim(), installed_ms: now, version: 1 };
      await queries
        .insertInto("licences")
        .values(row)
        .onConflict((conflict) =>
          conflict.column("id").doUpdateSet({ jws: row.jws, installed_ms: row.installed_ms }),
        )
        .execute();
      await queries
        .updateTable("tenants")
        .set((tenant) => ({ revision: tenant("revision", "+", 1) }))
        .execute();
      await audit.record(queries, {
        tenantId: null,
        actor,
        action: "licence.install",
        target: licence.id,
        details: { holder: licence.holder },
      });
    });
    for (const { id } of await database.selectFrom("tenants").select("id").execute())
      await wakeups.publish(`tenant:${id}`);
    return await this.show();
  }

  /** The licence that counts, and how much of it is used. */
  async show(): Promise<LicenceView> {
    const { database } = this.#ground;
    const { licence, installedMs, jws } = await this.#inForce(database);
    const [workstation, server] = await Promise.all(
      kinds.map(async (kind) => ({
        used: await machinesOf(database, kind),
        most: licence.machines[kind] ?? null,
      })),
    );
    return {
      id: licence.id,
      holder: licence.holder,
      stand: entitlementStand(licence, this.#ground.now()),
      validUntilMs: licence.validUntilMs ?? null,
      graceDays: licence.graceDays,
      machines: { workstation, server },
      installedMs,
      jws,
    };
  }

  /** What bundles tell machines of the licence. */
  async terms(
    queries: Queries = this.#ground.database,
  ): Promise<{ licenceId: string; validUntilMs: number | undefined; graceDays: number }> {
    const { id, validUntilMs, graceDays } = (await this.#inForce(queries)).licence;
    return { licenceId: id, validUntilMs, graceDays };
  }

  /**
   * To be asked in the transaction that admits a new machine, not for one that comes back. Refuses (agentRefusal,
   * `licence-exceeded`) when the licence has lapsed or has no room for another of the kind.
   */
  async requireRoom(queries: Queries, kind: MachineKind): Promise<void> {
    const { licence } = await this.#inForce(queries);
    if (entitlementStand(licence, this.#ground.now()) === "lapsed")
      throw agentRefusal("licence-exceeded", `The licence ${licence.id} has lapsed.`);
    const most = licence.machines[kind];
    if (most !== undefined && (await machinesOf(queries, kind)) >= most)
      throw agentRefusal(
        "licence-exceeded",
        `The licence ${licence.id} is for ${most} machines of the kind ${kind}.`,
      );
  }

  /** The one installed last that can still be read. */
  async #inForce(queries: Queries): Promise<InstalledLicence> {
    const rows = await queries
      .selectFrom("licences")
      .selectAll()
      .orderBy("installed_ms", "desc")
      .orderBy("id", "desc")
      .execute();
    for (const row of rows) {
      const licence = this.#readable(row);
      if (licence !== undefined) return { licence, installedMs: row.installed_ms, jws: row.jws };
    }
    return { licence: communityLicence, installedMs: null, jws: null };
  }

  /** One of another issuer than now counts as none. */
  #readable({ jws }: Selectable<Tables["licences"]>): LicenceDocument | undefined {
    try {
      return readLicence(jws, this.#issuer);
    } catch (error) {
      if (isBackstayError(error)) return undefined;
      throw error;
    }
  }
}

/** Revoked machines take no room. */
async function machinesOf(queries: Queries, kind: MachineKind): Promise<number> {
  const { count } = await queries
    .selectFrom("agents")
    .select((row) => row.fn.countAll().as("count"))
    .where("kind", "=", kind)
    .where("status", "!=", "revoked")
    .executeTakeFirstOrThrow();
  return Number(count);
}
