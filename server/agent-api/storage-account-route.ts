/** The route of the agents' API by which machines get accounts of their storage. */
import { performance } from "node:perf_hooks";
import { agentApi } from "../../protocol/control/agent-api.ts";
import {
  storageAccountAnswer,
  storageAccountQuery,
} from "../../protocol/control/storage-account.ts";
import type { App } from "../http/http-app.ts";
import { Problem } from "../http/problem.ts";
import { TokenBuckets } from "../http/token-buckets.ts";
import type { StorageAccounts } from "../storage-accounts/storage-accounts.ts";

/** For each machine: it asks a few times a day, and more often only when something is wrong. */
const rate = { burst: 60, perSecond: 0.2 };

/** Registers the route behind `authenticateAgents`: machines that are suspended or revoked come no further. */
export function storageAccountRoute(
  app: App,
  { accounts }: { readonly accounts: Pick<StorageAccounts, "sealedFor"> },
): void {
  const buckets = new TokenBuckets(rate, () => performance.now());
  app.get(
    agentApi.storageAccount,
    {
      config: { access: { kind: "agent" } },
      schema: { querystring: storageAccountQuery, response: { 200: storageAccountAnswer } },
    },
    async ({ agent, query }, reply) => {
      const waitSeconds = buckets.take(agent.id);
      if (waitSeconds > 0)
        throw new Problem({
          status: 429,
          code: "rate-limited",
          title: "Too many requests in a short time.",
          headers: { "retry-after": String(waitSeconds) },
        });
      reply.header("cache-control", "no-store");
      return { account: await accounts.sealedFor(agent, query) };
    },
  );
}
