/**
 * Routes that most kinds of things have: their list, one of them, a new one, its replacement, its removal, and what is
 * done with it. What a kind is like is said by its room, whose methods these routes call.
 */
import type { FastifyReply, FastifyRequest, FastifySchema } from "fastify";
import type { z } from "zod";
import { pageOf as listOf } from "../../protocol/management/resource.ts";
import type { Principal } from "../access/api-tokens.ts";
import { principalOf } from "../access/authorise.ts";
import type { Tenants } from "../fleet/tenants.ts";
import type { Page, TenantScope } from "../ground/resource-access.ts";
import { entityTag, requiredVersion } from "../http/entity-tag.ts";
import type { App } from "../http/http-app.ts";
import { pageAnswer, pageOf } from "../http/page-cursor.ts";
import type { Role } from "../http/route-access.ts";
import {
  api,
  forRole,
  idempotencyHeader,
  idParameters,
  ifMatchHeader,
  narrowedScope,
  noContent,
  owningTenant,
  type tenantPageQuery,
} from "./route-parts.ts";

/** A kind of things, as answers show them. */
export interface Kind<Answer extends z.ZodType> {
  /** Of its list, below `/api/v1`. */
  readonly path: string;
  readonly tags: readonly string[];
  readonly answer: Answer;
  /** The least role that may read them; read-only if not said otherwise. */
  readonly reader?: Role;
}

type Identified = z.ZodType<{ id: string }>;
type PageQuery = typeof tenantPageQuery;
/** What a query asks for beyond a part of the list and a tenant. */
type FilterOf<Query extends PageQuery> = Omit<z.output<Query>, keyof z.output<PageQuery>>;
type Access = ReturnType<typeof forRole>;

/** GET of the list: what the asker may see of it, in parts. `key` is what the list is ordered by, the id if absent. */
export function listRoute<
  Answer extends Identified,
  Query extends PageQuery,
  Item extends z.output<Answer>,
>(
  app: App,
  { path, tags, answer, reader = "read-only" }: Kind<Answer>,
  summary: string,
  querystring: Query,
  room: {
    list(scope: TenantScope, page: Page, filter: FilterOf<Query>): Promise<readonly Item[]>;
  },
  key?: (item: Item) => string,
): void {
  register(
    app,
    "GET",
    `${api}/${path}`,
    forRole(reader),
    { tags, summary, querystring, response: { 200: listOf(answer) } },
    async (request) => {
      const query = request.query as z.output<Query>;
      const { tenantId, limit: _limit, cursor: _cursor, ...filter } = query;
      const page = pageOf(query);
      const scope = narrowedScope(principalOf(request).scope, tenantId);
      return pageAnswer(page, await room.list(scope, page, filter), key);
    },
  );
}

/** GET of one, with its ETag if it has versions. */
export function showRoute<Answer extends z.ZodType>(
  app: App,
  { path, tags, answer, reader = "read-only" }: Kind<Answer>,
  summary: string,
  room: { get(scope: TenantScope, id: string): Promise<z.output<Answer>> },
): void {
  register(
    app,
    "GET",
    `${api}/${path}/:id`,
    forRole(reader),
    { tags, summary, params: idParameters, response: { 200: answer } },
    async (request, reply) =>
      shown(reply, await room.get(principalOf(request).scope, idOf(request))),
  );
}

/** POST to the list: a new one, for administrators. The body names its tenant if the asker may choose. */
export function createRoute<
  Answer extends z.ZodType,
  Body extends z.ZodType<{ tenantId?: string | undefined }>,
>(
  app: App,
  { path, tags, answer }: Kind<Answer>,
  summary: string,
  body: Body,
  tenants: Tenants,
  room: {
    create(
      actor: string,
      tenantId: string,
      settings: Omit<z.output<Body>, "tenantId">,
    ): Promise<z.output<Answer>>;
  },
): void {
  register(
    app,
    "POST",
    `${api}/${path}`,
    forRole("admin"),
    { tags, summary, headers: idempotencyHeader, body, response: { 201: answer } },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const { tenantId, ...settings } = request.body as z.output<Body>;
      const owner = await owningTenant(tenants, scope, tenantId);
      return await reply.status(201).send(shown(reply, await room.create(actor, owner, settings)));
    },
  );
}

/** PUT of one, on the version that was read; for administrators if not said otherwise. */
export function replaceRoute<Answer extends z.ZodType, Body extends z.ZodType>(
  app: App,
  { path, tags, answer }: Kind<Answer>,
  summary: string,
  body: Body,
  room: {
    replace(
      actor: string,
      scope: TenantScope,
      id: string,
      version: number,
      settings: z.output<Body>,
    ): Promise<z.output<Answer>>;
  },
  access: Access = forRole("admin"),
): void {
  register(
    app,
    "PUT",
    `${api}/${path}/:id`,
    access,
    {
      tags,
      summary,
      params: idParameters,
      headers: ifMatchHeader,
      body,
      response: { 200: answer },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const version = requiredVersion(request.headers);
      const settings = request.body as z.output<Body>;
      return shown(reply, await room.replace(actor, scope, idOf(request), version, settings));
    },
  );
}

/** DELETE of one, on the version that was read; for administrators if not said otherwise. */
export function removeRoute(
  app: App,
  { path, tags }: Kind<z.ZodType>,
  summary: string,
  room: { remove(actor: string, scope: TenantScope, id: string, version: number): Promise<void> },
  access: Access = forRole("admin"),
): void {
  register(
    app,
    "DELETE",
    `${api}/${path}/:id`,
    access,
    { tags, summary, params: idParameters, headers: ifMatchHeader, response: { 204: noContent } },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      await room.remove(actor, scope, idOf(request), requiredVersion(request.headers));
      return await reply.status(204).send();
    },
  );
}

/** POST to `:id/<verb>`: does something with one, and shows it as it is then. */
export function actionRoute<Answer extends z.ZodType>(
  app: App,
  { path, tags, answer }: Kind<Answer>,
  verb: string,
  role: Role,
  summary: string,
  act: (asker: Principal, id: string) => Promise<z.output<Answer>>,
): void {
  register(
    app,
    "POST",
    `${api}/${path}/:id/${verb}`,
    forRole(role),
    {
      tags,
      summary,
      params: idParameters,
      headers: idempotencyHeader,
      response: { 200: answer },
    },
    async (request, reply) => shown(reply, await act(principalOf(request), idOf(request))),
  );
}

/** Types that are open here are beyond Fastify's: what schemas see to is told by the signatures of this file. */
function register(
  app: App,
  method: "GET" | "POST" | "PUT" | "DELETE",
  url: string,
  access: Access,
  schema: FastifySchema,
  handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>,
): void {
  app.route({ method, url, ...access, schema, handler });
}

function idOf({ params }: { readonly params: unknown }): string {
  return (params as z.output<typeof idParameters>).id;
}

/** With its ETag, if it is a thing with versions. */
function shown<Thing>(reply: FastifyReply, thing: Thing): Thing {
  const { version } = thing as { readonly version?: number };
  if (version !== undefined) reply.header("etag", entityTag(version));
  return thing;
}
