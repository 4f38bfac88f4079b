/** What a server has, as declarations: for `export`, and for `apply` to compare with. */
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { AgentAnswer } from "../../protocol/management/agents.ts";
import type { EnrolmentTokenAnswer } from "../../protocol/management/enrolments.ts";
import type { GroupAnswer, GroupMemberAnswer } from "../../protocol/management/groups.ts";
import type { LicenceAnswer } from "../../protocol/management/licences.ts";
import type { PolicyAnswer } from "../../protocol/management/policies.ts";
import type { RepositoryAnswer } from "../../protocol/management/repositories.ts";
import type { TenantAnswer } from "../../protocol/management/tenants.ts";
import type { Declaration, DeclarationKind, DeclarationOf } from "./declarations.ts";
import type { ManagementClient } from "./management-client.ts";

/** Kinds of what belongs to tenants, and what the server answers for them. */
interface OwnedAnswers {
  readonly repository: RepositoryAnswer;
  readonly agent: AgentAnswer;
  readonly group: GroupAnswer;
  readonly policy: PolicyAnswer;
  readonly "enrolment-token": EnrolmentTokenAnswer;
}
export type OwnedKind = keyof OwnedAnswers;

/** Where the things of a kind are. */
export const kindPaths: Readonly<Record<Exclude<DeclarationKind, "licence">, string>> = {
  tenant: "/api/v1/tenants",
  repository: "/api/v1/repositories",
  agent: "/api/v1/agents",
  group: "/api/v1/groups",
  policy: "/api/v1/policies",
  "enrolment-token": "/api/v1/enrolment-tokens",
};

/** A thing of the server. */
export interface Standing {
  readonly id: string;
  readonly version: number;
  readonly declaration: Declaration;
  /** False: it is there, but counts no more. */
  readonly isUsable: boolean;
}

interface Book {
  /** Of each id. */
  readonly names: ReadonlyMap<string, string>;
  /** Of each name. */
  readonly ids: ReadonlyMap<string, readonly string[]>;
}

/** Fleets are large: each list is looked through once. */
const books = new WeakMap<readonly unknown[], Book>();

export class FleetReader {
  readonly #client: ManagementClient;
  readonly #lists = new Map<string, Promise<readonly unknown[]>>();

  constructor(client: ManagementClient) {
    this.#client = client;
  }

  async tenants(): Promise<readonly TenantAnswer[]> {
    return await this.#list<TenantAnswer>(kindPaths.tenant, undefined);
  }

  async of<Kind extends OwnedKind>(
    kind: Kind,
    tenantId: string,
  ): Promise<readonly OwnedAnswers[Kind][]> {
    return await this.#list<OwnedAnswers[Kind]>(kindPaths[kind], tenantId);
  }

  /** Everything of a kind; of what belongs to tenants, that of one of them. */
  async standings(kind: DeclarationKind, tenant: TenantAnswer): Promise<Standing[]> {
    switch (kind) {
      case "tenant":
        return [tenantStanding(tenant)];
      case "licence":
        return await this.#licence();
      default: {
        const standings: Standing[] = [];
        for (const item of await this.of(kind, tenant.id))
          standings.push(await this.#standing(kind, item, tenant));
        return standings;
      }
    }
  }

  /** The one of a name or id. Undefined if there is none. */
  async find(
    kind: DeclarationKind,
    tenant: TenantAnswer,
    name: string,
  ): Promise<Standing | undefined> {
    switch (kind) {
      case "tenant":
        return tenantStanding(tenant);
      case "licence":
        return (await this.#licence())[0];
      default: {
        const items = await this.of(kind, tenant.id);
        const found = items.filter((item) => item.id === name || item.name === name);
        return found.length === 1 ? await this.#standing(kind, found[0], tenant) : undefined;
      }
    }
  }

  /** To be called when things of a kind have changed. */
  forget(kind: DeclarationKind): void {
    if (kind === "licence") return;
    for (const key of this.#lists.keys())
      if (key.startsWith(`${kindPaths[kind]} `)) this.#lists.delete(key);
  }

  /** How declarations name a machine or group: by its name, or its id where several have that name. */
  async referenceTo(kind: "agent" | "group", tenantId: string, id: string): Promise<string> {
    const { names, ids } = bookOf(await this.of(kind, tenantId));
    const name = names.get(id);
    return name === undefined || ids.get(name)?.length !== 1 ? id : name;
  }

  /** Ids of what a declaration names: one, or none or several, where it does not tell which. */
  async idsOf(
    kind: "agent" | "group",
    tenantId: string,
    reference: string,
  ): Promise<readonly string[]> {
    const { names, ids } = bookOf(await this.of(kind, tenantId));
    return names.has(reference) ? [reference] : (ids.get(reference) ?? []);
  }

  async #licence(): Promise<Standing[]> {
    const answer = await this.#client.get("/api/v1/licence").catch((error: unknown) => {
      // Tokens of one tenant may not see it.
      if (isBackstayError(error, "SERVER_REFUSED") && error.context["status"] === 403)
        return undefined;
      throw error;
    });
    const { id, jws } = (answer?.body ?? { jws: null }) as LicenceAnswer;
    if (jws === null) return [];
    return [{ id, version: 1, isUsable: true, declaration: { kind: "licence", jws } }];
  }

  async #standing<Kind extends OwnedKind>(
    kind: Kind,
    item: OwnedAnswers[Kind],
    tenant: TenantAnswer,
  ): Promise<Standing> {
    const { id, version } = item;
    return {
      id,
      version,
      declaration: await this.#declarationOf(kind, item, tenant),
      isUsable: !("revokedMs" in item) || (item.revokedMs === null && item.expiresMs > Date.now()),
    };
  }

  async #declarationOf<Kind extends OwnedKind>(
    kind: Kind,
    item: OwnedAnswers[Kind],
    { id: tenantId, name: tenant }: TenantAnswer,
  ): Promise<Declaration> {
    switch (kind) {
      case "repository": {
        const { name, routes, members, modes, quotas } = item as RepositoryAnswer;
        const pool = { routes: [...routes], members: [...members] };
        return { kind, tenant, name, ...pool, modes, quotas };
      }
      case "agent": {
        const { id, labels } = item as AgentAnswer;
        return { kind, tenant, name: await this.referenceTo("agent", tenantId, id), labels };
      }
      case "group":
        return await this.#groupDeclaration(item as GroupAnswer, tenant);
      case "policy": {
        const { document, managedBy, groupIds, agentIds } = item as PolicyAnswer;
        const groups = await this.#references("group", tenantId, groupIds);
        const agents = await this.#references("agent", tenantId, agentIds);
        return { kind, tenant, document, managedBy, groups, agents };
      }
      default:
        return await this.#tokenDeclaration(item as EnrolmentTokenAnswer, tenant);
    }
  }

  async #groupDeclaration(
    { id, tenantId, name, selector }: GroupAnswer,
    tenant: string,
  ): Promise<DeclarationOf<"group">> {
    const kept = { kind: "group", tenant, name, selector } as const;
    if (selector.kind !== "static") return kept;
    const members = await this.#client.list<GroupMemberAnswer>(`${kindPaths.group}/${id}/members`);
    const ids = members.map((member) => member.id);
    return { ...kept, agents: await this.#references("agent", tenantId, ids) };
  }

  async #tokenDeclaration(
    token: EnrolmentTokenAnswer,
    tenant: string,
  ): Promise<DeclarationOf<"enrolment-token">> {
    const { tenantId, name, usesMax, expiresMs, labels, networks, needsApproval } = token;
    const { groupId, agentId } = token;
    return {
      kind: "enrolment-token",
      tenant,
      name,
      usesMax,
      expiresMs,
      group: groupId === null ? null : await this.referenceTo("group", tenantId, groupId),
      labels,
      networks: [...networks],
      needsApproval,
      agent: agentId === null ? null : await this.referenceTo("agent", tenantId, agentId),
    };
  }

  async #references(
    kind: "agent" | "group",
    tenantId: string,
    ids: readonly string[],
  ): Promise<string[]> {
    const references: string[] = [];
    for (const id of ids) references.push(await this.referenceTo(kind, tenantId, id));
    return references.toSorted();
  }

  async #list<Item>(path: string, tenantId: string | undefined): Promise<readonly Item[]> {
    const key = `${path} ${tenantId ?? ""}`;
    let list = this.#lists.get(key);
    if (list === undefined) {
      list = this.#client.list(path, { tenantId });
      this.#lists.set(key, list);
    }
    return (await list) as readonly Item[];
  }
}

function tenantStanding({
  id,
  version,
  name,
  quotas,
  leaseUntilMs,
  recoveryKey,
}: TenantAnswer): Standing {
  const declared = { kind: "tenant", name, quotas, leaseUntilMs, recoveryKey } as const;
  return { id, version, declaration: declared, isUsable: true };
}

function bookOf(items: readonly { readonly id: string; readonly name: string }[]): Book {
  const known = books.get(items);
  if (known !== undefined) return known;
  const names = new Map<string, string>();
  const ids = new Map<string, string[]>();
  for (const { id, name } of items) {
    names.set(id, name);
    ids.set(name, [...(ids.get(name) ?? []), id]);
  }
  const book = { names, ids };
  books.set(items, book);
  return book;
}
