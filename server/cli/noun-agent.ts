/** `backstay-server agent`: the machines. */
import type {
  AgentAnswer,
  AgentConditionsAnswer,
  AgentPoliciesAnswer,
} from "../../protocol/management/agents.ts";
import { agentIntentVerbs } from "./agent-intent-verbs.ts";
import { durationOption, labelsOf, listOf, textOf } from "./option-values.ts";
import { agoText, momentText } from "./quantities.ts";
import {
  addTarget,
  agents,
  idOf,
  listVerb,
  type ResourceKind,
  removeVerb,
  said,
  showVerb,
  targetIdOf,
  targetOf,
} from "./resource-verbs.ts";
import { shownText, tableLines } from "./text-table.ts";
import { collect, type Verb } from "./verb.ts";

const groups: ResourceKind = { noun: "group", path: "/api/v1/groups" };

function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([label, value]) => `${label}=${value}`)
    .join(" ");
}

const list = listVerb<AgentAnswer>({
  kind: agents,
  summary: "list machines",
  examples: [
    "backstay-server agent list --overdue",
    "backstay-server agent list --group laptops --health error",
    "backstay-server agent list --silent 7d --json",
  ],
  titles: ["NAME", "STATE", "LAST SEEN", "VERSION", "KIND", "LABELS", "ID"],
  row: (agent, nowMs) => [
    agent.name,
    agent.state,
    agoText(agent.live?.lastSeenMs, nowMs),
    agent.live?.agentVersion ?? "-",
    agent.kind,
    labelText(agent.labels),
    agent.id,
  ],
  define: (command) => {
    command
      .option("--name <name>", "of this name")
      .option("--group <group>", "in this group")
      .option("--label <name=value>", "with this label, * for any value; repeatable", collect)
      .option("--health <health>", "ok, warning, error or critical")
      .option("--status <status>", "active, suspended or revoked")
      .option("--overdue", "whose last good backup is older than its policy wants")
      .option("--silent <duration>", "not heard of for so long");
  },
  query: async ({ options, client }, tenantId) => {
    const group = textOf(options["group"]);
    const silentMs = durationOption("silent", options["silent"]);
    return {
      name: textOf(options["name"]),
      groupId:
        group === undefined ? undefined : await idOf(await client(), groups, group, tenantId),
      label: Object.entries(labelsOf(options["label"])).map(
        ([label, value]) => `${label}:${value}`,
      ),
      health: textOf(options["health"]),
      status: textOf(options["status"]),
      overdue: options["overdue"] === true ? true : undefined,
      silentSinceMs: silentMs === undefined ? undefined : Date.now() - silentMs,
    };
  },
});

const show = showVerb<AgentAnswer>({
  kind: agents,
  example: "backstay-server agent show pc1",
  facts: (agent, nowMs) => [
    ["Name", agent.name],
    ["Id", agent.id],
    ["Tenant", agent.tenantId],
    ["State", agent.reason === "" ? agent.state : `${agent.state}: ${agent.reason}`],
    ["Kind", agent.kind],
    ["Labels", labelText(agent.labels)],
    ["Last seen", agoText(agent.live?.lastSeenMs, nowMs)],
    ["Address", agent.live?.address ?? "-"],
    ["Version", agent.live?.agentVersion ?? "-"],
    ["Bundle in force", String(agent.live?.acceptedSerial ?? "-")],
    ["Enrolled", `${momentText(agent.enrolledMs)}, ${agent.generation} times`],
  ],
});

const conditions: Verb = {
  name: "conditions",
  summary: "show what a machine says is wrong",
  examples: ["backstay-server agent conditions pc1"],
  define: (command) => addTarget(command, agents),
  run: async (call) => {
    const client = await call.client();
    const place = `${agents.path}/${await targetIdOf(call, agents)}/conditions`;
    const answer = (await client.get(place)).body as AgentConditionsAnswer;
    const nowMs = Date.now();
    const rows = answer.conditions.map((each) => [
      each.severity,
      agoText(each.sinceMs, nowMs),
      each.code,
      each.subject,
      each.text,
    ]);
    const lines =
      rows.length === 0
        ? [answer.statusMs === null ? "It has not said anything yet." : "Nothing is wrong."]
        : tableLines(["SEVERITY", "SINCE", "CODE", "ABOUT", "WHAT"], rows);
    return { json: answer, lines };
  },
};

const policies: Verb = {
  name: "policies",
  summary: "show the policies in force on a machine, as it last said",
  examples: ["backstay-server agent policies pc1", "backstay-server agent policies pc1 --json"],
  define: (command) => addTarget(command, agents),
  run: async (call) => {
    const client = await call.client();
    const place = `${agents.path}/${await targetIdOf(call, agents)}/policies`;
    const answer = (await client.get(place)).body as AgentPoliciesAnswer;
    const nowMs = Date.now();
    const bundle = answer.bundle;
    const rows = answer.policies.map((each) => [
      shown(each["policy"]),
      shown(each["origin"]),
      shown(each["policyVersion"]),
      shown(each["lastOutcome"]),
      agoText(each["lastGoodMs"] as number | undefined, nowMs),
      agoText(each["nextMs"] as number | undefined, nowMs),
      shown(each["route"]),
    ]);
    return {
      json: answer,
      lines: [
        bundle === null
          ? "It has not said anything yet."
          : shownText(
              `Bundle ${bundle.serial ?? "-"}: ${bundle.state} ${bundle.text ?? ""}`.trim(),
            ),
        ...tableLines(["POLICY", "FROM", "VERSION", "LAST", "LAST GOOD", "NEXT", "ROUTE"], rows),
      ],
    };
  },
};

const label: Verb = {
  name: "label",
  summary: "change labels of a machine; its groups follow",
  examples: [
    "backstay-server agent label pc1 --set site=berlin",
    "backstay-server agent label pc1 --unset site",
  ],
  define: (command) => {
    command
      .option("--set <name=value>", "sets a label; repeatable", collect)
      .option("--unset <name>", "removes a label; repeatable", collect);
    addTarget(command, agents);
  },
  run: async (call) => {
    const client = await call.client();
    const { etag, body } = await targetOf<AgentAnswer>(call, agents);
    const labels = { ...body.labels, ...labelsOf(call.options["set"]) };
    for (const name of listOf(call.options["unset"])) delete labels[name];
    const answer = await client.put(`${agents.path}/${body.id}/labels`, etag, { labels });
    return said(answer.body, `${body.name}: ${labelText(labels)}`);
  },
};

/** Machines of other versions may tell more or less. */
function shown(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "-";
}

function statusVerb(name: "suspend" | "resume" | "revoke", summary: string): Verb {
  return {
    name,
    summary,
    examples: [`backstay-server agent ${name} pc1`],
    define: (command) => addTarget(command, agents),
    run: async (call) => {
      const client = await call.client();
      const place = `${agents.path}/${await targetIdOf(call, agents)}/${name}`;
      const answer = (await client.post(place)).body as AgentAnswer;
      return said(answer, `${answer.name}: ${answer.status}`);
    },
  };
}

export const agentVerbs: readonly Verb[] = [
  list,
  show,
  policies,
  conditions,
  label,
  ...agentIntentVerbs,
  statusVerb("suspend", "take nothing from a machine until it is resumed"),
  statusVerb("resume", "end a suspension"),
  statusVerb("revoke", "end a machine's membership; only a new enrolment brings it back"),
  removeVerb({
    kind: agents,
    summary: "forget a machine; its backups, their passwords and its reports stay",
    example: "backstay-server agent remove pc1",
    done: "forgotten; its backups stay",
  }),
];
