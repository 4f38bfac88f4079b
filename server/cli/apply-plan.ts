/** What `apply` would change: every declaration compared with what the server has, before anything is written. */
import type { TenantAnswer } from "../../protocol/management/tenants.ts";
import { type Declaration, type DeclarationOf, declarationKinds, nameOf } from "./declarations.ts";
import type { FleetReader, Standing } from "./fleet-reader.ts";
import { type Declared, invalidDeclaration } from "./read-declarations.ts";
import { type ValueChange, valueChanges } from "./value-changes.ts";

export interface PlannedStep {
  readonly place: string;
  /** With its tenant's name, and references as the server's own answers would have them. */
  readonly declaration: Declaration;
  /** What the server has of it. */
  readonly standing: Standing | undefined;
  readonly action: "create" | "change" | "keep";
  readonly changes: readonly ValueChange[];
}

/** In the order in which it is to be done. DECLARATION_INVALID if anything can't be done, with all such places. */
export async function planOf(
  reader: FleetReader,
  declared: readonly Declared[],
): Promise<PlannedStep[]> {
  const planner = new Planner(reader, declared, await reader.tenants());
  const steps: PlannedStep[] = [];
  // Pools come after the repositories that they consist of.
  const inOrder = declared.toSorted((a, b) => Number(isPool(a)) - Number(isPool(b)));
  for (const kind of declarationKinds)
    for (const each of inOrder)
      if (each.declaration.kind === kind) steps.push(...(await planner.step(each)));
  if (planner.mistakes.length > 0) throw invalidDeclaration(planner.mistakes);
  return steps;
}

function isPool({ declaration }: Declared): boolean {
  return declaration.kind === "repository" && declaration.members.length > 0;
}

type Owned = Exclude<Declaration, { kind: "tenant" | "licence" }>;

/** Of a thing whose tenant is yet to be made, by its name alone. */
type Owner = TenantAnswer | { readonly id: undefined; readonly name: string };

class Planner {
  readonly mistakes: string[] = [];
  readonly #reader: FleetReader;
  readonly #declared: readonly Declared[];
  readonly #tenants: readonly TenantAnswer[];

  constructor(
    reader: FleetReader,
    declared: readonly Declared[],
    tenants: readonly TenantAnswer[],
  ) {
    this.#reader = reader;
    this.#declared = declared;
    this.#tenants = tenants;
  }

  /** None if it can't be done. */
  async step({ declaration, place }: Declared): Promise<PlannedStep[]> {
    if (declaration.kind === "tenant" || declaration.kind === "licence") {
      const name = nameOf(declaration);
      const [tenant] = this.#tenants.filter((each) => each.name === name);
      const isNew = declaration.kind === "tenant" && tenant === undefined;
      const standing = isNew ? undefined : await this.#reader.find(declaration.kind, tenant, name);
      return [compared(place, declaration, standing)];
    }
    const owner = this.#ownerOf(declaration, place);
    if (owner === undefined) return [];
    const before = this.mistakes.length;
    const standing =
      owner.id === undefined
        ? undefined
        : await this.#reader.find(declaration.kind, owner, nameOf(declaration));
    const settled = await this.#settled(declaration, owner, standing, place);
    this.#refuse(settled, standing, place);
    return this.mistakes.length > before ? [] : [compared(place, settled, standing)];
  }

  #ownerOf({ tenant }: Owned, place: string): Owner | undefined {
    const made = this.#declared.flatMap(({ declaration }) =>
      declaration.kind === "tenant" && !this.#tenants.some(({ name }) => name === declaration.name)
        ? [{ id: undefined, name: declaration.name }]
        : [],
    );
    const all: Owner[] = [...this.#tenants, ...made];
    if (tenant === undefined) {
      if (all.length === 1) return all[0];
      this.mistakes.push(`${place}: tenant is missing, and there is not exactly one`);
      return undefined;
    }
    const found = all.find(({ id, name }) => name === tenant || id === tenant);
    if (found === undefined) this.mistakes.push(`${place}: tenant names none: ${tenant}`);
    return found;
  }

  async #settled(
    given: Owned,
    owner: Owner,
    standing: Standing | undefined,
    place: string,
  ): Promise<Owned> {
    const tenant = owner.name;
    const agents = async (list: readonly string[]): Promise<string[]> =>
      await this.#references("agent", list, owner, place);
    const groups = async (list: readonly string[]): Promise<string[]> =>
      await this.#references("group", list, owner, place);
    switch (given.kind) {
      case "policy":
        return {
          ...given,
          tenant,
          agents: await agents(given.agents),
          groups: await groups(given.groups),
        };
      case "group": {
        if (given.agents !== undefined)
          return { ...given, tenant, agents: await agents(given.agents) };
        const kept = (standing?.declaration as DeclarationOf<"group"> | undefined)?.agents;
        const isStatic = given.selector.kind === "static" && kept !== undefined;
        return { ...given, tenant, ...(isStatic && { agents: kept }) };
      }
      case "enrolment-token": {
        const [group = null] = await groups(given.group === null ? [] : [given.group]);
        const [agent = null] = await agents(given.agent === null ? [] : [given.agent]);
        return { ...given, tenant, group, agent };
      }
      case "agent": {
        const [name = given.name] = await agents([given.name]);
        return { ...given, tenant, name };
      }
      case "repository": {
        const known = (standing?.declaration as DeclarationOf<"repository"> | undefined)?.modes;
        return { ...given, tenant, modes: [...(given.modes ?? known ?? [])].toSorted() };
      }
    }
  }

  /** As the server's own answers would name them, sorted, each once. */
  async #references(
    kind: "agent" | "group",
    given: readonly string[],
    { id: tenantId, name: tenant }: Owner,
    place: string,
  ): Promise<string[]> {
    const references = new Set<string>();
    for (const reference of given) {
      const ids = tenantId === undefined ? [] : await this.#reader.idsOf(kind, tenantId, reference);
      const isMade = kind === "group" && this.#makesGroup(tenantId, tenant, reference);
      if (ids.length === 1 && tenantId !== undefined)
        references.add(await this.#reader.referenceTo(kind, tenantId, ids[0]));
      else if (ids.length === 0 && isMade) references.add(reference);
      else {
        const problem = ids.length === 0 ? "there is no" : "there are several, give its id:";
        this.mistakes.push(`${place}: ${problem} ${kind} ${reference}`);
      }
    }
    return [...references].toSorted();
  }

  /** True if the group is among what is to be applied. */
  #makesGroup(tenantId: string | undefined, tenant: string, reference: string): boolean {
    return this.#declared.some(
      ({ declaration }) =>
        declaration.kind === "group" &&
        declaration.name === reference &&
        [undefined, tenant, tenantId].includes(declaration.tenant),
    );
  }

  #refuse(given: Owned, standing: Standing | undefined, place: string): void {
    if (given.kind === "group" && given.agents !== undefined && given.selector.kind !== "static")
      this.mistakes.push(`${place}: agents are only for a group with selector static`);
    if (given.kind !== "enrolment-token" || standing === undefined) return;
    const isOther = valueChanges(standing.declaration, given).length > 0;
    if (isOther || !standing.isUsable)
      this.mistakes.push(
        `${place}: the enrolment token ${given.name} ${isOther ? "is another one" : "is over"}, and tokens do not change: take another name`,
      );
  }
}

function compared(place: string, given: Declaration, standing: Standing | undefined): PlannedStep {
  const about = { place, declaration: given, standing };
  if (standing === undefined) return { ...about, action: "create", changes: [] };
  const changes = valueChanges(standing.declaration, given);
  return { ...about, action: changes.length === 0 ? "keep" : "change", changes };
}
