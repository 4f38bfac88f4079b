/** `backstay-server status`: how the fleet is, and whether anybody waits. */
import type { OverviewAnswer } from "../../protocol/management/sessions.ts";
import { addTenantOption, tenantIdOf } from "./resource-verbs.ts";
import { factLines } from "./text-table.ts";
import type { Verb } from "./verb.ts";

const words: Readonly<Record<string, string>> = {
  ok: "protected",
  warning: "with a warning",
  error: "with an error",
  failing: "whose last backup failed",
  overdue: "overdue",
  silent: "silent",
  unprotected: "without a policy",
  waiting: "never heard of",
  suspended: "suspended",
  revoked: "revoked",
};

export const statusVerb: Verb = {
  name: "status",
  summary: "say how the fleet is",
  examples: ["backstay-server status", "backstay-server status --tenant acme --json"],
  define: addTenantOption,
  run: async (call) => {
    const client = await call.client();
    const overview = (await client.get("/api/v1/overview", { tenantId: await tenantIdOf(call) }))
      .body as OverviewAnswer;
    const health = (await client.get("/healthz")).body as { version: string };
    const states = Object.entries(words)
      .map(
        ([state, word]) =>
          [overview.byState[state as keyof typeof overview.byState], word] as const,
      )
      .filter(([count, word]) => count > 0 || word === "protected");
    const sessions = Object.entries(overview.sessionsOfDay).map(
      ([outcome, count]) => `${count} ${outcome}`,
    );
    return {
      json: { server: client.url, pin: client.pin, version: health.version, ...overview },
      lines: factLines([
        ["Server", `${client.url} (${health.version})`],
        ...(client.pin === undefined ? [] : [["Pin", client.pin] as const]),
        ["Machines", String(overview.machines)],
        ["", states.map(([count, word]) => `${count} ${word}`).join("\n")],
        [
          "Policies on machines",
          `${overview.policies.total}, ${overview.policies.overdue} overdue`,
        ],
        ["Sessions of 24 hours", sessions.length === 0 ? "none" : sessions.join(", ")],
        ["Waiting to be let in", String(overview.requestsPending)],
        ["Doubled identities", String(overview.conflictsOpen)],
      ]),
    };
  },
};
