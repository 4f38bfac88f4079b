/** What the routes of the management API have in common: who may use them, whose rows they see, versions as ETags. */
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { resourceId } from "../../protocol/management/resource.ts";
import type { Tenants } from "../fleet/tenants.ts";
import type { TenantScope } from "../ground/resource-access.ts";
import { entityTag } from "../http/entity-tag.ts";
import { pageQuery } from "../http/page-cursor.ts";
import type { Role, RouteAccess } from "../http/route-access.ts";

/** Beginning of each address of this API. */
export const api = "/api/v1";

/** `config` of a route that a token of at least this role may use for its own tenant. */
export function forRole(role: Role): { config: { access: RouteAccess } } {
  return { config: { access: { kind: "token", role, scope: "tenant" } } };
}

/** `config` of a route that needs a token of at least this role for every tenant. */
export function forWholeServer(role: Role): { config: { access: RouteAccess } } {
  return { config: { access: { kind: "token", role, scope: "all" } } };
}

export const idParameters = z.object({ id: resourceId });

/** Of lists of what belongs to tenants. */
export const tenantPageQuery = pageQuery.extend({
  tenantId: resourceId.optional().describe("Of this tenant only."),
});

/** Of lists of what has a name. */
export const namedPageQuery = tenantPageQuery.extend({
  name: z.string().max(200).optional().describe("Of this name only."),
});

/** A yes or no in a query. */
export const queryFlag = z.enum(["true", "false"]).transform((text) => text === "true");

/** Missing is not malformed: it is answered with 428. */
export const ifMatchHeader = z.looseObject({
  "if-match": z.string().optional().describe("Required: the ETag of what was read."),
});

export const idempotencyHeader = z.looseObject({
  "idempotency-key": z
    .string()
    .optional()
    .describe("Repeating the same request with the same key within a day has no second effect."),
});

/** Nothing. */
export const noContent = z.undefined().describe("Done.");

/** Gives the answer its ETag. */
export function tagged<Resource extends { readonly version: number }>(
  reply: FastifyReply,
  resource: Resource,
): Resource {
  reply.header("etag", entityTag(resource.version));
  return resource;
}

/** The scope of a list: what the asker may see, narrowed to a tenant if one is named. RESOURCE_UNKNOWN for another's. */
export function narrowedScope(scope: TenantScope, tenantId: string | undefined): TenantScope {
  if (tenantId === undefined) return scope;
  if (scope !== null && scope !== tenantId)
    throw new BackstayError("RESOURCE_UNKNOWN", { tenant: tenantId });
  return tenantId;
}

/**
 * Whose a new thing will be: the asker's own tenant, the one that is named, or the only one that there is.
 * RESOURCE_UNKNOWN for another's, RESOURCE_INVALID if it must be named.
 */
export async function owningTenant(
  tenants: Tenants,
  scope: TenantScope,
  tenantId: string | undefined,
): Promise<string> {
  const named = narrowedScope(scope, tenantId);
  if (named !== null) return (await tenants.get(scope, named)).id;
  const [only, another] = await tenants.list(null, { after: null, limit: 2 });
  if (only === undefined)
    throw new BackstayError("RESOURCE_INVALID", {
      tenantId: "there is no tenant yet; `backstay-server tenant create NAME` makes one",
    });
  if (another !== undefined)
    throw new BackstayError("RESOURCE_INVALID", { tenantId: "must say which tenant" });
  return only.id;
}
