/** `/api/v1/rollouts`: policies whose change is on its way to their machines. Their id is that of the policy. */
import { z } from "zod";
import { policyAnswer, rolloutObservation } from "../../protocol/management/policies.ts";
import { pageOf as listOf } from "../../protocol/management/resource.ts";
import { principalOf } from "../access/authorise.ts";
import type { App } from "../http/http-app.ts";
import { pageAnswer, pageOf } from "../http/page-cursor.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import {
  api,
  forRole,
  idempotencyHeader,
  idParameters,
  narrowedScope,
  tagged,
  tenantPageQuery,
} from "./route-parts.ts";

const tags = ["rollouts"];

const orders = {
  pause: "Holds a rollout: machines that were not reached keep what they have.",
  resume: "Goes on with a rollout that was paused, or halted itself.",
  advance: "Goes on to the next wave now.",
  finish: "Gives the change to every machine now.",
  abort: "Takes the change back: every machine gets what it had before, as a new version.",
} as const;

export function rolloutRoutes(app: App, { policies, rollouts }: ManagementRooms): void {
  app.get(
    `${api}/rollouts`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Lists policies whose change is on its way.",
        querystring: tenantPageQuery,
        response: { 200: listOf(policyAnswer) },
      },
    },
    async (request) => {
      const page = pageOf(request.query);
      const scope = narrowedScope(principalOf(request).scope, request.query.tenantId);
      return pageAnswer(page, await policies.list(scope, page, { isRollingOut: true }));
    },
  );
  app.get(
    `${api}/rollouts/:id`,
    {
      ...forRole("read-only"),
      schema: {
        tags,
        summary: "Shows how the machines fare that a rollout has reached.",
        params: idParameters,
        response: {
          200: z.object({ policy: policyAnswer, observed: rolloutObservation.nullable() }),
        },
      },
    },
    async (request) => {
      const { scope } = principalOf(request);
      const { id } = request.params;
      const policy = await policies.get(scope, id);
      const seen = await rollouts.observe(scope, id);
      if (seen === undefined) return { policy, observed: null };
      const { selectedRatios, ...counts } = seen;
      return { policy, observed: { ...counts, comparedBytes: selectedRatios.length } };
    },
  );
  for (const [order, summary] of Object.entries(orders) as [keyof typeof orders, string][])
    app.post(
      `${api}/rollouts/:id/${order}`,
      {
        ...forRole("operator"),
        schema: {
          tags,
          summary,
          params: idParameters,
          headers: idempotencyHeader,
          response: { 200: policyAnswer },
        },
      },
      async (request, reply) => {
        const { actor, scope } = principalOf(request);
        const { id } = request.params;
        await rollouts.order(actor, scope, id, order);
        return tagged(reply, await policies.get(scope, id));
      },
    );
}
