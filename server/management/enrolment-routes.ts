/** `/api/v1/enrolment-tokens`, `/enrolment-requests`, `/identity-conflicts`: how machines become members. */
import { z } from "zod";
import {
  conflictStates,
  enrolmentRequestAnswer,
  enrolmentTokenAnswer,
  identityConflictAnswer,
  newEnrolmentTokenAnswer,
  newEnrolmentTokenBody,
  requestStates,
} from "../../protocol/management/enrolments.ts";
import { resourceId } from "../../protocol/management/resource.ts";
import { principalOf } from "../access/authorise.ts";
import { requireVersion } from "../ground/resource-access.ts";
import { requiredVersion } from "../http/entity-tag.ts";
import type { App } from "../http/http-app.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import { actionRoute, listRoute, showRoute } from "./resource-routes.ts";
import {
  api,
  forRole,
  idempotencyHeader,
  idParameters,
  ifMatchHeader,
  namedPageQuery,
  owningTenant,
  tagged,
  tenantPageQuery,
} from "./route-parts.ts";

const tags = ["enrolment"];

export function enrolmentRoutes(app: App, rooms: ManagementRooms): void {
  tokenRoutes(app, rooms);
  requestRoutes(app, rooms);
  conflictRoutes(app, rooms);
}

function tokenRoutes(app: App, { enrolmentTokens, tenants }: ManagementRooms): void {
  const kind = { path: "enrolment-tokens", tags, answer: enrolmentTokenAnswer };
  const lists = "Lists enrolment tokens, never their texts.";
  listRoute(app, kind, lists, namedPageQuery, enrolmentTokens);
  app.post(
    `${api}/enrolment-tokens`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Makes an enrolment token.",
        headers: idempotencyHeader,
        body: newEnrolmentTokenBody,
        response: { 201: newEnrolmentTokenAnswer },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const { tenantId, ...settings } = request.body;
      const owner = await owningTenant(tenants, scope, tenantId);
      const { info, token } = await enrolmentTokens.create(actor, owner, settings);
      return await reply.status(201).send({ ...tagged(reply, info), token });
    },
  );
  showRoute(app, kind, "Shows an enrolment token, not its text.", enrolmentTokens);
  app.delete(
    `${api}/enrolment-tokens/:id`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary:
          "Revokes an enrolment token: no machine joins by it any more; it stays in the list.",
        params: idParameters,
        headers: ifMatchHeader,
        response: { 200: enrolmentTokenAnswer },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const { id } = request.params;
      const version = requiredVersion(request.headers);
      requireVersion("enrolmentToken", await enrolmentTokens.get(scope, id), version);
      return tagged(reply, await enrolmentTokens.revoke(actor, scope, id));
    },
  );
}

function requestRoutes(app: App, { enrolments }: ManagementRooms): void {
  const kind = { path: "enrolment-requests", tags, answer: enrolmentRequestAnswer };
  const query = tenantPageQuery.extend({ state: z.enum(requestStates).optional() });
  listRoute(app, kind, "Lists machines that have asked to join.", query, enrolments);
  showRoute(app, kind, "Shows a machine that has asked to join.", enrolments);
  for (const [verb, summary] of [
    ["approve", "Lets a machine in; it learns so when it asks again."],
    ["deny", "Sends a machine away for good."],
  ] as const)
    actionRoute(app, kind, verb, "operator", summary, async ({ actor, scope }, given) => {
      const { id, version } = await enrolments.get(scope, given);
      return await enrolments[verb](actor, scope, id, version);
    });
}

function conflictRoutes(app: App, { identityConflicts }: ManagementRooms): void {
  const kind = { path: "identity-conflicts", tags, answer: identityConflictAnswer };
  const query = tenantPageQuery.extend({
    state: z.enum(conflictStates).optional(),
    agentId: resourceId.optional(),
  });
  const lists = "Lists identities that two machines use, or used.";
  listRoute(app, kind, lists, query, identityConflicts);
  const shows = "Shows what is known of an identity that two machines use.";
  showRoute(app, kind, shows, identityConflicts);
  actionRoute(
    app,
    kind,
    "dismiss",
    "operator",
    "It was none, or is over: nobody is refused for it any more.",
    async ({ actor, scope }, id) => await identityConflicts.dismiss(actor, scope, id),
  );
}
