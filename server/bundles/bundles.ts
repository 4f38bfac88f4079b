/**
 * The newest bundle of each machine: compiled when it is asked for and something may have changed, numbered above all
 * that the machine has accepted, signed, and kept, so that all replicas give out the same.
 */
import { createHash } from "node:crypto";
import { BackstayError } from "../../protocol/backstay-error.ts";
import {
  type BundleDocument,
  bundleSerialMax,
  type EntitlementDocument,
  issuedAccountsFeature,
} from "../../protocol/control/bundle.ts";
import { sealSecret } from "../../protocol/control/sealed-secret.ts";
import { signDocument, unverifiedContent } from "../../protocol/control/signed-document.ts";
import { knownRow } from "../ground/resource-access.ts";
import { intentFor } from "./agent-intents.ts";
import {
  type BundleContent,
  type BundleMachine,
  bundleContent,
  type ChosenPolicy,
  chosenPolicies,
  contentHash,
  policiesHash,
  policiesOf,
} from "./bundle-compiler.ts";
import { type BundleRow, BundleShelf, type BundleStand } from "./bundle-shelf.ts";
import { type MachineRepository, machineRepository } from "./machine-repositories.ts";
import { placements } from "./placements.ts";
import { SetBack } from "./set-back.ts";
import {
  type RepositoryView,
  readTenantView,
  type TenantView,
  type TenantViewSources,
} from "./tenant-view.ts";

/** What a machine says of the newest bundle that it has. */
export interface KnownBundle {
  /** Of the newest that it ever accepted; 0 if none. */
  readonly serial: number;
  /** Hash of the one in force there, if it says. */
  readonly hash?: string | undefined;
}

export interface CurrentBundle {
  readonly serial: number;
  /** SHA-256 of the bundle, hex: its ETag. */
  readonly hash: string;
}

const dayMs = 86_400_000;
/** After that a machine says that its policies are old. */
const refreshMs = 30 * dayMs;
/** A bundle is issued anew by then, though it says the same, so that a machine that asks never says so. */
const renewalMs = refreshMs / 2;
/** What an agent takes at most. */
const bundleCharactersMax = 4_000_000;
const viewsMax = 50;
const triesMax = 10;

export class Bundles {
  readonly #sources: TenantViewSources;
  readonly #hashKey: Uint8Array;
  readonly #setBack: SetBack;
  readonly #shelf: BundleShelf;
  /** By tenant, those used last at the end. */
  readonly #views = new Map<string, { revision: number; view: Promise<TenantView> }>();

  constructor(sources: TenantViewSources) {
    this.#sources = sources;
    this.#hashKey = sources.ground.vault.derive("bundle-content");
    this.#shelf = new BundleShelf(sources.ground.database);
    this.#setBack = new SetBack(sources.ground, sources.keys);
  }

  /**
   * Number and hash of what the machine should have now, compiled if need be. Cheap while nothing changes.
   * RESOURCE_UNKNOWN for a machine that is not there.
   */
  async current(agentId: string, known: KnownBundle): Promise<CurrentBundle> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const { stand, machine, revision } = await this.#read(agentId);
      if (tries === 0 && believed(known.serial) > (stand?.serial ?? 0)) {
        await this.#setBack.heard();
        continue;
      }
      if (stand !== undefined && !this.#needsLook(stand, revision, known)) return nameOf(stand);
      const made = await this.#look(machine, stand, revision, known);
      if (made !== undefined) return made;
      // Another replica has written meanwhile: what it wrote is looked at.
    }
    throw new BackstayError("RESOURCE_CHANGED", { agent: agentId });
  }

  /** The bundle itself, as `current` has told it. */
  async text(agentId: string): Promise<{ readonly jws: string; readonly hash: string }> {
    const row = await this.#sources.ground.database
      .selectFrom("bundles")
      .select(["jws", "hash"])
      .where("agent_id", "=", agentId)
      .executeTakeFirst();
    return knownRow("agent", agentId, row);
  }

  async #read(agentId: string): Promise<{
    stand: BundleStand | undefined;
    machine: { id: string; tenantId: string; sealingKey: string };
    revision: number;
  }> {
    const row = await this.#sources.ground.database
      .selectFrom("agents")
      .innerJoin("tenants", "tenants.id", "agents.tenant_id")
      .leftJoin("bundles", "bundles.agent_id", "agents.id")
      .select([
        "agents.tenant_id",
        "agents.sealing_key",
        "tenants.revision as tenant_revision",
        "bundles.serial",
        "bundles.content_hash",
        "bundles.hash",
        "bundles.revision",
        "bundles.created_ms",
      ])
      .where("agents.id", "=", agentId)
      .executeTakeFirst();
    const known = knownRow("agent", agentId, row);
    const { serial, content_hash, hash, revision, created_ms } = known;
    const isMade =
      serial !== null &&
      content_hash !== null &&
      hash !== null &&
      revision !== null &&
      created_ms !== null;
    const tenant_id = known.tenant_id;
    return {
      stand: isMade
        ? { agent_id: agentId, tenant_id, serial, content_hash, hash, revision, created_ms }
        : undefined,
      machine: { id: agentId, tenantId: tenant_id, sealingKey: known.sealing_key },
      revision: known.tenant_revision,
    };
  }

  #needsLook(stand: BundleStand, revision: number, known: KnownBundle): boolean {
    return stand.revision !== revision || this.#needsSerial(stand, known);
  }

  /** The same content is to be issued under another serial. */
  #needsSerial(stand: BundleStand, known: KnownBundle): boolean {
    if (this.#sources.ground.now() >= stand.created_ms + renewalMs) return true;
    const reported = believed(known.serial);
    if (reported > stand.serial) return true;
    return reported === stand.serial && known.hash !== undefined && known.hash !== stand.hash;
  }

  /** Undefined if another replica was faster. */
  async #look(
    { id, tenantId, sealingKey }: { id: string; tenantId: string; sealingKey: string },
    stand: BundleStand | undefined,
    revision: number,
    known: KnownBundle,
  ): Promise<CurrentBundle | undefined> {
    const { ground } = this.#sources;
    const { database } = ground;
    const view = await this.#view(tenantId, revision);
    const groups = await database
      .selectFrom("group_members")
      .select("group_id")
      .where("agent_id", "=", id)
      .execute();
    const machine: BundleMachine = {
      id,
      sealingKey,
      groups: groups.map(({ group_id }) => group_id),
    };
    const chosen = await this.#chosen(view, machine);
    const owned = new Map<string, MachineRepository>();
    for (const repository of chosen.flatMap((each) => [each.repository, ...each.former]))
      if (!owned.has(repository.id)) {
        const place = { tenantId, agentId: id, repositoryId: repository.id };
        owned.set(repository.id, await machineRepository(database, ground, place));
      }
    const content = bundleContent(view, machine, chosen, owned);
    const before = stand === undefined ? undefined : await this.#policiesBefore(id);
    const intent = await intentFor(database, id, policiesHash(content.policies), before);
    const server = { urls: [...ground.settings.publicUrls], pins: [...ground.settings.pins] };
    const hash = contentHash(view, machine, content, { intent, server, hashKey: this.#hashKey });
    if (stand !== undefined && stand.content_hash === hash && !this.#needsSerial(stand, known)) {
      await this.#shelf.keep(stand, revision);
      return nameOf(stand);
    }
    const nowSeconds = Math.floor(ground.now() / 1000);
    const serial = Math.max((stand?.serial ?? 0) + 1, believed(known.serial) + 1, nowSeconds);
    const jws = this.#signed(view, machine, content, { intent, server, serial });
    const row: BundleRow = {
      agent_id: id,
      tenant_id: tenantId,
      serial,
      content_hash: hash,
      hash: createHash("sha256").update(jws).digest("hex"),
      jws,
      revision,
      created_ms: ground.now(),
    };
    return (await this.#shelf.put(stand, row)) ? nameOf(row) : undefined;
  }

  /** The policies of a machine, with where its backups go: the first time that it needs a pool its place there is chosen. */
  async #chosen(view: TenantView, machine: BundleMachine): Promise<ChosenPolicy[]> {
    const policies = policiesOf(view, machine);
    const placed = new Map<string, readonly RepositoryView[]>();
    for (const name of new Set(policies.map(({ text }) => text.repositoryName ?? ""))) {
      const pool = view.pools.get(name);
      if (pool !== undefined)
        placed.set(name, await placements(this.#sources.ground, view, machine.id, pool));
    }
    return chosenPolicies(view, policies, placed);
  }

  async #policiesBefore(agentId: string): Promise<string | undefined> {
    const { database } = this.#sources.ground;
    const waiting = await database
      .selectFrom("agent_intents")
      .select("agent_id")
      .where("agent_id", "=", agentId)
      .executeTakeFirst();
    if (waiting === undefined) return undefined;
    const { jws } = await this.text(agentId);
    return policiesHash((unverifiedContent(jws) as Pick<BundleDocument, "policies">).policies);
  }

  #signed(
    view: TenantView,
    machine: BundleMachine,
    content: BundleContent,
    { intent, server, serial }: Pick<BundleDocument, "intent" | "server" | "serial">,
  ): string {
    const signer = view.ring.signer("policy");
    if (signer === undefined) throw new BackstayError("RESOURCE_STATE", { key: "policy" });
    const issuedMs = this.#sources.ground.now();
    const { licenceId, validUntilMs, graceDays } = view.licence;
    const entitlement: EntitlementDocument = {
      type: "entitlement",
      tenantId: view.tenantId,
      agentId: machine.id,
      licenceId,
      ...(validUntilMs !== undefined && { validUntilMs }),
      graceDays,
      issuedMs,
    };
    const document: BundleDocument = {
      type: "bundle",
      version: 1,
      tenantId: view.tenantId,
      agentId: machine.id,
      serial,
      issuedMs,
      refreshByMs: issuedMs + refreshMs,
      intent,
      critical: hasIssuedRoute(view, content) ? [issuedAccountsFeature] : [],
      policies: content.policies,
      destinations: content.destinations,
      repositoryStands: content.repositoryStands,
      secrets: Object.fromEntries(
        [...content.secrets].map(([name, value]) => [name, sealSecret(value, machine.sealingKey)]),
      ),
      previousPasswords: content.previousPasswords,
      ...(view.recoveryKey !== undefined && { recoveryKey: view.recoveryKey }),
      entitlement: signDocument("entitlement", entitlement, signer),
      trust: view.trust,
      server,
      ...(content.rolloutId !== undefined && { rolloutId: content.rolloutId }),
    };
    const jws = signDocument("bundle", document, signer);
    if (jws.length > bundleCharactersMax)
      throw new BackstayError("BUNDLE_TOO_LARGE", { agent: machine.id, characters: jws.length });
    return jws;
  }

  /** One reading a revision, however many machines ask at once. */
  async #view(tenantId: string, revision: number): Promise<TenantView> {
    const known = this.#views.get(tenantId);
    this.#views.delete(tenantId);
    const entry =
      known !== undefined && known.revision >= revision
        ? known
        : { revision, view: readTenantView(this.#sources, tenantId, revision) };
    this.#views.set(tenantId, entry);
    const [oldest] = this.#views.keys();
    if (this.#views.size > viewsMax && oldest !== undefined) this.#views.delete(oldest);
    try {
      return await entry.view;
    } catch (error) {
      if (this.#views.get(tenantId) === entry) this.#views.delete(tenantId);
      throw error;
    }
  }
}

/** An agent that knows no issued accounts would go there without one. */
function hasIssuedRoute({ repositories }: TenantView, { destinations }: BundleContent): boolean {
  return [...repositories.values()].some(
    ({ jws, destination }) =>
      destinations.includes(jws) &&
      destination.routes.some((route) => route.kind === "direct" && route.issued === true),
  );
}

function nameOf({ serial, hash }: CurrentBundle): CurrentBundle {
  return { serial, hash };
}

/** What can be outnumbered; a machine that says more has been told so by somebody else, or says nonsense. */
function believed(serial: number): number {
  return Number.isSafeInteger(serial) && serial > 0 && serial < bundleSerialMax ? serial : 0;
}
