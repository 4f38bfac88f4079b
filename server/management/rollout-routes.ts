/** `/api/v1/rollouts`: policies whose change is on its way to their machines. Their id is that of the policy. */
import { z } from "zod";
import { policyAnswer, rolloutObservation } from "../../protocol/management/policies.ts";
import { principalOf } from "../access/authorise.ts";
import type { App } from "../http/http-app.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import { actionRoute, listRoute } from "./resource-routes.ts";
import { api, forRole, idParameters, tenantPageQuery } from "./route-parts.ts";

const tags = ["rollouts"];
const kind = { path: "rollouts", tags, answer: policyAnswer };

const orders = {
  pause: "Holds a rollout: machines that were not reached keep what they have.",
  resume: "Goes on with a rollout that was paused, or halted itself.",
  advance: "Goes on to the next wave now.",
  finish: "Gives the change to every machine now.",
  abort: "Takes the change back: every machine gets what it had before, as a new version.",
} as const;

export function rolloutRoutes(app: App, { policies, rollouts }: ManagementRooms): void {
  listRoute(app, kind, "Lists policies whose change is on its way.", tenantPageQuery, {
    list: async (scope, page) => await policies.list(scope, page, { isRollingOut: true }),
  });
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
    actionRoute(app, kind, order, "operator", summary, async ({ actor, scope }, id) => {
      await rollouts.order(actor, scope, id, order);
      return await policies.get(scope, id);
    });
}
