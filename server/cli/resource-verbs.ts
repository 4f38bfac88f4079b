/** Verbs that most nouns have: list, show, remove; and how people name one thing of a kind. */
import type { Command } from "commander";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { ManagementClient, Query } from "./management-client.ts";
import { factLines, tableLines } from "./text-table.ts";
import type { Shown, Verb, VerbCall } from "./verb.ts";

/** A kind of things of the management API. */
export interface ResourceKind {
  /** As people type it. */
  readonly noun: string;
  /** Its list: `/api/v1/groups`. */
  readonly path: string;
  /** True for what has no tenant or no name to look up by. */
  readonly isUnnamed?: true;
}

export interface Found<Body> {
  readonly etag: string;
  readonly body: Body;
}

interface Named {
  readonly id: string;
  readonly name: string;
}

export const tenants: ResourceKind = { noun: "tenant", path: "/api/v1/tenants" };
export const agents: ResourceKind = { noun: "agent", path: "/api/v1/agents" };
export const repositories: ResourceKind = { noun: "repository", path: "/api/v1/repositories" };

const idForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** For verbs about what belongs to tenants. */
export function addTenantOption(command: Command): void {
  command.option("--tenant <name>", "name or id of the tenant, if there are several");
}

/** Id of the tenant that --tenant names; undefined without it. RESOURCE_UNKNOWN. */
export async function tenantIdOf({ options, client }: VerbCall): Promise<string | undefined> {
  const given = options["tenant"];
  if (typeof given !== "string") return undefined;
  return await idOf(await client(), tenants, given);
}

/** For verbs about one thing of a kind: the operand that names it, and --tenant. */
export function addTarget(command: Command, kind: ResourceKind): void {
  command.argument(`<${kind.noun}>`, kind.isUnnamed === true ? "id" : "name or id");
  if (kind !== tenants) addTenantOption(command);
}

/** The thing that an operand names, the first unless said otherwise. Fails as `findResource`. */
export async function targetOf<Body>(
  call: VerbCall,
  kind: ResourceKind,
  position = 0,
): Promise<Found<Body>> {
  const given = operand(call, position);
  return await findResource(await call.client(), kind, given, await tenantIdOf(call));
}

/** Its id. Fails as `findResource`. */
export async function targetIdOf(call: VerbCall, kind: ResourceKind): Promise<string> {
  return await idOf(await call.client(), kind, operand(call), await tenantIdOf(call));
}

/** One thing by its id or name. RESOURCE_UNKNOWN; USAGE if several tenants have one of the name. */
export async function findResource<Body>(
  client: ManagementClient,
  kind: ResourceKind,
  given: string,
  tenantId?: string,
): Promise<Found<Body>> {
  const id = await idOf(client, kind, given, tenantId);
  const { etag, body } = await client.get(`${kind.path}/${encodeURIComponent(id)}`);
  return { etag, body: body as Body };
}

/** The id of a thing that is named by its id or name. Fails as `findResource`. */
export async function idOf(
  client: ManagementClient,
  { noun, path, isUnnamed }: ResourceKind,
  given: string,
  tenantId?: string,
): Promise<string> {
  if (isUnnamed === true || idForm.test(given)) return given;
  const named = await client.list<Named>(path, { name: given, tenantId });
  if (named.length === 1) return named[0].id;
  if (named.length === 0) throw new BackstayError("RESOURCE_UNKNOWN", { [noun]: given });
  throw new BackstayError("USAGE", {
    [noun]: given,
    problem: "there are several of this name; give its id, or --tenant",
    ids: named.map(({ id }) => id).join(", "),
  });
}

/** The first operand: commander has seen to it that it is there. */
export function operand({ operands }: VerbCall, index = 0): string {
  return operands[index] ?? "";
}

export interface ListParts<Item> {
  readonly kind: ResourceKind;
  readonly summary: string;
  readonly examples: readonly string[];
  readonly titles: readonly string[];
  readonly row: (item: Item, nowMs: number) => readonly string[];
  readonly define?: (command: Command) => void;
  /** What the options narrow the list to. */
  readonly query?: (call: VerbCall, tenantId: string | undefined) => Promise<Query> | Query;
}

export function listVerb<Item>(parts: ListParts<Item>): Verb {
  const { kind, summary, examples, titles, row, define, query } = parts;
  return {
    name: "list",
    summary,
    examples,
    define: (command) => {
      define?.(command);
      if (kind !== tenants) addTenantOption(command);
    },
    run: async (call) => {
      const client = await call.client();
      const tenantId = await tenantIdOf(call);
      const narrowed = (await query?.(call, tenantId)) ?? {};
      const items = await client.list<Item>(kind.path, { tenantId, ...narrowed });
      const nowMs = Date.now();
      return {
        json: items,
        lines:
          items.length === 0
            ? []
            : tableLines(
                titles,
                items.map((item) => row(item, nowMs)),
              ),
      };
    },
  };
}

export interface ShowParts<Body> {
  readonly kind: ResourceKind;
  readonly facts: (body: Body, nowMs: number) => readonly (readonly [string, string])[];
  readonly example: string;
}

export function showVerb<Body>({ kind, facts, example }: ShowParts<Body>): Verb {
  return {
    name: "show",
    summary: `show a ${kind.noun}`,
    examples: [example],
    define: (command) => addTarget(command, kind),
    run: async (call) => {
      const { body } = await targetOf<Body>(call, kind);
      return { json: body, lines: factLines(facts(body, Date.now())) };
    },
  };
}

export interface RemoveParts {
  readonly kind: ResourceKind;
  /** `remove` if not said otherwise. */
  readonly name?: string;
  readonly summary: string;
  readonly example: string;
  readonly done: string;
  readonly define?: (command: Command) => void;
  readonly query?: (call: VerbCall) => string;
}

/** Reads the thing, and removes it as it was read. */
export function removeVerb(parts: RemoveParts): Verb {
  const { kind, name = "remove", summary, example, done, define, query } = parts;
  return {
    name,
    summary,
    examples: [example],
    define: (command) => {
      define?.(command);
      addTarget(command, kind);
    },
    run: async (call) => {
      const { etag, body } = await targetOf<Partial<Named> & { id: string }>(call, kind);
      const { id, name = id } = body;
      await (await call.client()).remove(`${kind.path}/${id}${query?.(call) ?? ""}`, etag);
      return said({ id }, `${kind.noun} ${name}: ${done}`);
    },
  };
}

/** A result of one line. */
export function said(json: unknown, line: string): Shown {
  return { json, lines: [line] };
}
