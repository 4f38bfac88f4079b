/** `backstay-server conflict`: identities that two machines use. */
import type { IdentityConflictAnswer } from "../../protocol/management/enrolments.ts";
import { textOf } from "./option-values.ts";
import { agoText } from "./quantities.ts";
import { listVerb, operand, type ResourceKind, said, showVerb } from "./resource-verbs.ts";
import type { Verb } from "./verb.ts";

const conflicts: ResourceKind = {
  noun: "conflict",
  path: "/api/v1/identity-conflicts",
  isUnnamed: true,
};

const dismiss: Verb = {
  name: "dismiss",
  summary: "say that it was none, or is over: nobody is refused for it any more",
  examples: ["backstay-server conflict dismiss 01a2086a-e1fe-7cfe-892a-eb5fc9219f93"],
  define: (command) => void command.argument("<conflict>", "id"),
  run: async (call) => {
    const id = encodeURIComponent(operand(call));
    const { body } = await (await call.client()).post(`${conflicts.path}/${id}/dismiss`);
    return said(body, `conflict ${operand(call)}: dismissed`);
  },
};

export const conflictVerbs: readonly Verb[] = [
  listVerb<IdentityConflictAnswer>({
    kind: conflicts,
    summary: "list identities that two machines use",
    examples: ["backstay-server conflict list"],
    titles: ["MACHINE", "STATE", "SINCE", "RUNS", "ID"],
    row: ({ agentId, state, createdMs, evidence, id }, nowMs) => [
      agentId,
      state,
      agoText(createdMs, nowMs),
      String(evidence.runs.length),
      id,
    ],
    define: (command) =>
      void command.option("--state <state>", "open, forked, dismissed or all", "open"),
    query: ({ options }) => {
      const state = textOf(options["state"]);
      return { state: state === "all" ? undefined : state };
    },
  }),
  showVerb<IdentityConflictAnswer>({
    kind: conflicts,
    example: "backstay-server conflict show 01a2086a-e1fe-7cfe-892a-eb5fc9219f93",
    facts: ({ agentId, state, evidence, createdMs }, nowMs) => [
      ["Machine", agentId],
      ["State", state],
      ["Since", agoText(createdMs, nowMs)],
      [
        "Runs",
        evidence.runs
          .map(
            ({ runId, address, lastSeenMs, isForeign }) =>
              `${runId} from ${address}, ${agoText(lastSeenMs, nowMs)}${isForeign ? ", not the machine that was enrolled" : ""}`,
          )
          .join("\n"),
      ],
    ],
  }),
  dismiss,
];
