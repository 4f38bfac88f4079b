/** `/api/v1/policies`: what machines back up, and which machines. */
import { z } from "zod";
import {
  newPolicyBody,
  policyAnswer,
  policyBody,
  selectionAnswer,
  selectionBody,
} from "../../protocol/management/policies.ts";
import { pageOf as listOf } from "../../protocol/management/resource.ts";
import { principalOf } from "../access/authorise.ts";
import { selectionOf } from "../fleet/agent-selection.ts";
import { requiredVersion } from "../http/entity-tag.ts";
import type { App } from "../http/http-app.ts";
import { pageAnswer, pageOf } from "../http/page-cursor.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import {
  api,
  forRole,
  idempotencyHeader,
  idParameters,
  ifMatchHeader,
  namedPageQuery,
  narrowedScope,
  noContent,
  owningTenant,
  queryFlag,
  tagged,
} from "./route-parts.ts";

const tags = ["policies"];
/** Kept for what the server's schedule may be told one day. */
const serverSchedule = {};

export function policyRoutes(app: App, rooms: ManagementRooms): void {
  const { policies, tenants, ground } = rooms;
  app.get(
    `${api}/policies`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Lists policies.",
        querystring: namedPageQuery,
        response: { 200: listOf(policyAnswer) },
      },
    },
    async (request) => {
      const { name, tenantId } = request.query;
      const page = pageOf(request.query);
      const scope = narrowedScope(principalOf(request).scope, tenantId);
      return pageAnswer(page, await policies.list(scope, page, { name }));
    },
  );
  app.post(
    `${api}/policies`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Makes a policy and gives it to groups and machines.",
        headers: idempotencyHeader,
        body: newPolicyBody,
        response: { 201: policyAnswer },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const { tenantId, ...settings } = request.body;
      const owner = await owningTenant(tenants, scope, tenantId);
      const made = await policies.create(actor, owner, { ...settings, serverSchedule });
      return await reply.status(201).send(tagged(reply, made));
    },
  );
  app.post(
    `${api}/policies/preview`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary:
          "Counts the machines that a policy for these groups and machines would reach. Changes nothing.",
        body: selectionBody,
        response: { 200: selectionAnswer },
      },
    },
    async (request) => {
      const { tenantId, ...selected } = request.body;
      const owner = await owningTenant(tenants, principalOf(request).scope, tenantId);
      return await selectionOf(ground.database, owner, selected);
    },
  );
  app.get(
    `${api}/policies/:id`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Shows a policy.",
        params: idParameters,
        response: { 200: policyAnswer },
      },
    },
    async (request, reply) =>
      tagged(reply, await policies.get(principalOf(request).scope, request.params.id)),
  );
  changeRoutes(app, rooms);
}

function changeRoutes(app: App, { policies }: ManagementRooms): void {
  app.put(
    `${api}/policies/:id`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Replaces a policy and whom it is given to. What machines get changes in waves.",
        params: idParameters,
        headers: ifMatchHeader,
        body: policyBody,
        response: { 200: policyAnswer },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const version = requiredVersion(request.headers);
      const { waves, isReduction, ...settings } = request.body;
      const changed = await policies.replace(
        actor,
        scope,
        request.params.id,
        version,
        { ...settings, serverSchedule },
        { waves, isReduction },
      );
      return tagged(reply, changed);
    },
  );
  app.delete(
    `${api}/policies/:id`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Removes a policy. What its machines stored stays.",
        params: idParameters,
        headers: ifMatchHeader,
        querystring: z.object({
          reduction: queryFlag
            .optional()
            .describe(
              "It is meant: else machines refuse to lose more than half of what they back up.",
            ),
        }),
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { actor, scope } = principalOf(request);
      const version = requiredVersion(request.headers);
      const change = { isReduction: request.query.reduction };
      await policies.remove(actor, scope, request.params.id, version, change);
      return await reply.status(204).send();
    },
  );
}
