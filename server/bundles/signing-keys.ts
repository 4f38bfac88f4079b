/**
 * The keys by which machines know what comes from this server. The root key, pinned by each machine at enrolment, vouches
 * for policy keys (bundles, commands, entitlements) and destination keys (where data goes). Of each role the newest
 * active key signs and all active ones are believed, so that a change of keys interrupts nothing.
 */
import { randomBytes } from "node:crypto";
import type { Selectable } from "kysely";
import { BackstayError } from "../../protocol/backstay-error.ts";
import {
  rootKeyId,
  type SignatureType,
  type TrustDocument,
} from "../../protocol/control/bundle.ts";
import {
  newPrivateKey,
  privateKeyOf,
  publicKeyOf,
  rawPrivateKey,
  rawPublicKey,
} from "../../protocol/control/curve-keys.ts";
import {
  type KnownKey,
  type SigningKey,
  signDocument,
  signedHeader,
} from "../../protocol/control/signed-document.ts";
import type { Tables } from "../database/tables.ts";
import { knownRow } from "../ground/resource-access.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";

/** Roles whose keys change. */
export type KeyRole = "policy" | "destination";

export interface SigningKeyInfo {
  readonly id: string;
  readonly role: KeyRole | "root";
  readonly publicKey: string;
  /** `retired`: believed no more. */
  readonly state: "active" | "retired";
  /** True if the private half is not on the server. */
  readonly isOffline: boolean;
  readonly createdMs: number;
}

/** The keys at one moment. */
export interface KeyRing {
  /** Undefined for `destination` while the newest key is kept offline. */
  signer(role: KeyRole): SigningKey | undefined;
  /** Active ones, newest first. */
  known(role: KeyRole): readonly KnownKey[];
  /** The trust document of a tenant, signed by the root key; the same text as long as no key changes. */
  trust(tenantId: string): string;
}

type KeyRow = Selectable<Tables["signing_keys"]>;
interface TrustStand {
  readonly version: number;
  readonly issuedMs: number;
}

const trustFact = "trust";

export class SigningKeys {
  readonly #ground: ServerGround;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  /** Makes the first keys if there are none. Replicas that start together agree on one set. */
  async prepare(): Promise<void> {
    await this.#ground.database.transaction().execute(async (queries) => {
      const root = this.#newRow("root", rootKeyId);
      const made = await queries
        .insertInto("signing_keys")
        .values(root)
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      if (made.numInsertedOrUpdatedRows !== 1n) return;
      for (const role of ["policy", "destination"] as const)
        await queries.insertInto("signing_keys").values(this.#newRow(role)).execute();
      await this.#raiseTrust(queries);
      await this.#record(queries, "server", "signing-key.create", root.id, {});
    });
  }

  /** The public key that machines pin at enrolment: 32 bytes, base64url. */
  async rootKey(queries: Queries = this.#ground.database): Promise<string> {
    const row = await queries
      .selectFrom("signing_keys")
      .select("public_key")
      .where("id", "=", rootKeyId)
      .executeTakeFirstOrThrow();
    return row.public_key;
  }

  /** All keys, oldest first. */
  async list(): Promise<SigningKeyInfo[]> {
    return (await keyRows(this.#ground.database)).map(infoOf);
  }

  /** The keys as they are now. */
  async ring(queries: Queries = this.#ground.database): Promise<KeyRing> {
    const rows = (await keyRows(queries)).filter(({ state }) => state === "active").toReversed();
    const fact = await queries
      .selectFrom("server_facts")
      .select("value")
      .where("name", "=", trustFact)
      .executeTakeFirstOrThrow();
    return new Ring(this.#ground, rows, JSON.parse(fact.value) as TrustStand);
  }

  /** A document signed by the policy key of now: commands and the like. */
  async sign(
    type: SignatureType,
    payload: object,
    queries: Queries = this.#ground.database,
  ): Promise<string> {
    const key = (await this.ring(queries)).signer("policy");
    if (key === undefined) throw new BackstayError("RESOURCE_STATE", { key: "policy" });
    return signDocument(type, payload, key);
  }

  /** A new key of the role, which signs from now on; those before stay believed until they are retired. */
  async rotate(actor: string, role: KeyRole): Promise<SigningKeyInfo> {
    return await this.#add(actor, this.#newRow(role));
  }

  /** A destination key whose private half was made elsewhere and stays there. KEY_INVALID. */
  async addOffline(actor: string, publicKey: string): Promise<SigningKeyInfo> {
    publicKeyOf("ed25519", publicKey);
    return await this.#add(actor, {
      ...this.#newRow("destination"),
      public_key: publicKey,
      sealed: null,
    });
  }

  /**
   * The private half of a destination key (43 characters), for keeping offline. RESOURCE_STATE if it is not a destination
   * key or no longer here.
   */
  async exportDestinationKey(actor: string, id: string): Promise<string> {
    return await this.#ground.database.transaction().execute(async (queries) => {
      const row = await destinationRow(queries, id);
      if (row.sealed === null) throw new BackstayError("RESOURCE_STATE", { key: id });
      await this.#record(queries, actor, "signing-key.export", id, {});
      return rawPrivateKey(privateKeyOfRow(this.#ground, row));
    });
  }

  /** Removes the private half of a destination key from this server: changes of repositories wait for its holder then. */
  async removePrivateHalf(actor: string, id: string): Promise<SigningKeyInfo> {
    return await this.#ground.database.transaction().execute(async (queries) => {
      const row = { ...(await destinationRow(queries, id)), sealed: null };
      await queries
        .updateTable("signing_keys")
        .set({ sealed: null })
        .where("id", "=", id)
        .execute();
      await raiseAllRevisions(queries);
      await this.#record(queries, actor, "signing-key.take-offline", id, {});
      return infoOf(row);
    });
  }

  /**
   * Machines stop believing a key as soon as they get their next bundle. RESOURCE_STATE for the root key and for the last
   * active one of its role; RESOURCE_IN_USE while destinations are signed by it.
   */
  async retire(actor: string, id: string): Promise<void> {
    await this.#ground.database.transaction().execute(async (queries) => {
      const rows = await keyRows(queries);
      const row = knownRow(
        "key",
        id,
        rows.find((each) => each.id === id),
      );
      const others = rows.filter(
        (each) => each.role === row.role && each.state === "active" && each.id !== id,
      );
      if (row.role === "root" || row.state === "retired" || others.length === 0)
        throw new BackstayError("RESOURCE_STATE", { key: id, state: row.state });
      if (row.role === "destination") await requireNothingSigned(queries, id);
      await queries
        .updateTable("signing_keys")
        .set({ state: "retired", sealed: null })
        .where("id", "=", id)
        .execute();
      await this.#raiseTrust(queries);
      await this.#record(queries, actor, "signing-key.retire", id, { role: row.role });
    });
    await this.#tellAll();
  }

  /** The same keys under a higher number, above what was lost when the database was set back to an earlier day. */
  async renewTrust(actor: string): Promise<void> {
    await this.#ground.database.transaction().execute(async (queries) => {
      await this.#raiseTrust(queries);
      await this.#record(queries, actor, "signing-key.renew-trust", rootKeyId, {});
    });
    await this.#tellAll();
  }

  async #add(actor: string, made: KeyRow): Promise<SigningKeyInfo> {
    const row = await this.#ground.database.transaction().execute(async (queries) => {
      const row = { ...made, created_ms: await this.#afterAll(queries) };
      await queries.insertInto("signing_keys").values(row).execute();
      await this.#raiseTrust(queries);
      await this.#record(queries, actor, "signing-key.create", row.id, {
        role: row.role,
        isOffline: row.sealed === null ? 1 : 0,
      });
      return row;
    });
    await this.#tellAll();
    return infoOf(row);
  }

  /** The newest key signs, whatever the clock does: later than all that are there. */
  async #afterAll(queries: Queries): Promise<number> {
    const newest = (await keyRows(queries)).at(-1)?.created_ms ?? 0;
    return Math.max(newest + 1, this.#ground.now());
  }

  /** Above what a server knew that was restored from an earlier day: by the clock. */
  async #raiseTrust(queries: Queries): Promise<void> {
    const now = this.#ground.now();
    const fact = await queries
      .selectFrom("server_facts")
      .select("value")
      .where("name", "=", trustFact)
      .executeTakeFirst();
    const before = fact === undefined ? 0 : (JSON.parse(fact.value) as TrustStand).version;
    const stand: TrustStand = {
      version: Math.max(before + 1, Math.floor(now / 1000)),
      issuedMs: now,
    };
    const value = JSON.stringify(stand);
    await queries
      .insertInto("server_facts")
      .values({ name: trustFact, value })
      .onConflict((conflict) => conflict.column("name").doUpdateSet({ value }))
      .execute();
    await raiseAllRevisions(queries);
  }

  async #tellAll(): Promise<void> {
    const tenants = await this.#ground.database.selectFrom("tenants").select("id").execute();
    for (const { id } of tenants) await this.#ground.wakeups.publish(`tenant:${id}`);
  }

  #newRow(role: KeyRow["role"], id = `${role}-${randomBytes(6).toString("hex")}`): KeyRow {
    const key = newPrivateKey("ed25519");
    return {
      id,
      role,
      public_key: rawPublicKey(key),
      sealed: this.#ground.vault.seal(Buffer.from(rawPrivateKey(key)), vaultContext(id)),
      state: "active",
      created_ms: this.#ground.now(),
    };
  }

  async #record(
    queries: Queries,
    actor: string,
    action: string,
    target: string,
    details: Record<string, string | number>,
  ): Promise<void> {
    await this.#ground.audit.record(queries, { tenantId: null, actor, action, target, details });
  }
}

class Ring implements KeyRing {
  readonly #ground: ServerGround;
  readonly #rows: readonly KeyRow[];
  readonly #stand: TrustStand;
  readonly #signers = new Map<string, SigningKey>();

  constructor(ground: ServerGround, rows: readonly KeyRow[], stand: TrustStand) {
    this.#ground = ground;
    this.#rows = rows;
    this.#stand = stand;
  }

  signer(role: KeyRole): SigningKey | undefined {
    const row = this.#rows.find((each) => each.role === role);
    return row === undefined || row.sealed === null ? undefined : this.#signerOf(row);
  }

  known(role: KeyRole): readonly KnownKey[] {
    return this.#rows
      .filter((each) => each.role === role)
      .map(({ id, public_key: key }) => ({ id, key }));
  }

  trust(tenantId: string): string {
    const root = this.#rows.find(({ role }) => role === "root");
    if (root === undefined) throw new BackstayError("RESOURCE_STATE", { key: "root" });
    const roles = {
      policy: [...this.known("policy")],
      destination: [...this.known("destination")],
    };
    const document: TrustDocument = { type: "trust", ...this.#stand, tenantId, roles };
    return signDocument("trust", document, this.#signerOf(root));
  }

  #signerOf(row: KeyRow): SigningKey {
    const known = this.#signers.get(row.id);
    if (known !== undefined) return known;
    const signer = { id: row.id, privateKey: privateKeyOfRow(this.#ground, row) };
    this.#signers.set(row.id, signer);
    return signer;
  }
}

/** Oldest first. */
async function keyRows(queries: Queries): Promise<KeyRow[]> {
  return await queries
    .selectFrom("signing_keys")
    .selectAll()
    .orderBy("created_ms")
    .orderBy("id")
    .execute();
}

async function destinationRow(queries: Queries, id: string): Promise<KeyRow> {
  const rows = await keyRows(queries);
  const row = knownRow(
    "key",
    id,
    rows.find((each) => each.id === id),
  );
  if (row.role !== "destination") throw new BackstayError("RESOURCE_STATE", { key: id });
  return row;
}

function privateKeyOfRow(
  ground: ServerGround,
  { id, sealed }: KeyRow,
): ReturnType<typeof privateKeyOf> {
  const seed = ground.vault.open(sealed ?? "", vaultContext(id));
  return privateKeyOf("ed25519", Buffer.from(seed).toString());
}

async function requireNothingSigned(queries: Queries, keyId: string): Promise<void> {
  const rows = await queries
    .selectFrom("repositories")
    .select(["name", "destination"])
    .where("destination", "is not", null)
    .execute();
  for (const { name, destination } of rows)
    if (destination !== null && signedHeader(destination).kid === keyId)
      throw new BackstayError("RESOURCE_IN_USE", { key: keyId, repository: name });
}

async function raiseAllRevisions(queries: Queries): Promise<void> {
  await queries
    .updateTable("tenants")
    .set((row) => ({ revision: row("revision", "+", 1) }))
    .execute();
}

function vaultContext(id: string): string {
  return `signing-key:${id}`;
}

function infoOf(row: KeyRow): SigningKeyInfo {
  const { id, role, public_key: publicKey, state, sealed, created_ms: createdMs } = row;
  return { id, role, publicKey, state, isOffline: sealed === null, createdMs };
}
