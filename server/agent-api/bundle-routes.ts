/** Routes of the agents' API: the bundle that a machine polls for, and what it gives into escrow. */
import { z } from "zod";
import { agentApi, answerHeaders } from "../../protocol/control/agent-api.ts";
import { bundleAnswer } from "../../protocol/control/bundle.ts";
import { escrowDeposit } from "../../protocol/control/reports.ts";
import type { Bundles } from "../bundles/bundles.ts";
import type { Commands } from "../commands/commands.ts";
import type { Escrow } from "../escrow/escrow.ts";
import type { App } from "../http/http-app.ts";
import type { WakeDesk } from "./wake-desk.ts";

export interface BundleRouteParts {
  readonly bundles: Pick<Bundles, "current" | "text">;
  readonly commands: Pick<Commands, "waitingFor">;
  readonly escrow: Pick<Escrow, "deposit">;
  readonly wakes: Pick<WakeDesk, "fetched">;
}

const nothing = z.undefined();

/** Registers the routes behind `authenticateAgents`. */
export function bundleRoutes(
  app: App,
  { bundles, commands, escrow, wakes }: BundleRouteParts,
): void {
  app.get(
    agentApi.bundle,
    {
      config: { access: { kind: "agent" } },
      schema: { response: { 200: bundleAnswer, 304: nothing } },
    },
    async ({ agent, headers }, reply) => {
      const hash = knownHash(headers["if-none-match"]);
      const current = await bundles.current(agent.id, { serial: agent.serial ?? 0, hash });
      wakes.fetched(agent.id);
      reply.header(answerHeaders.commands, String(await commands.waitingFor(agent.id)));
      if (hash === current.hash) {
        reply.header("etag", `"${hash}"`);
        return await reply.status(304).send();
      }
      const newest = await bundles.text(agent.id);
      reply.header("etag", `"${newest.hash}"`);
      return await reply.status(200).send({ bundle: newest.jws });
    },
  );

  app.post(
    agentApi.escrow,
    {
      config: { access: { kind: "agent" } },
      schema: { body: escrowDeposit, response: { 204: nothing } },
    },
    async ({ agent, body }, reply) => {
      await escrow.deposit(agent, body);
      return await reply.status(204).send();
    },
  );
}

/** The one hash that an agent names; proxies that compress make a weak tag of it. */
function knownHash(header: string | undefined): string | undefined {
  return /^(?:W\/)?"([0-9a-f]{64})"$/.exec(header?.trim() ?? "")?.[1];
}
