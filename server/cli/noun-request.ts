/** `backstay-server request`: machines that wait to be let in. */
import type { EnrolmentRequestAnswer } from "../../protocol/management/enrolments.ts";
import { textOf } from "./option-values.ts";
import { agoText } from "./quantities.ts";
import { listVerb, operand, type ResourceKind, said, showVerb } from "./resource-verbs.ts";
import type { Verb } from "./verb.ts";

const requests: ResourceKind = {
  noun: "request",
  path: "/api/v1/enrolment-requests",
  isUnnamed: true,
};

function decision(name: "approve" | "deny", summary: string): Verb {
  return {
    name,
    summary,
    examples: [`backstay-server request ${name} 01a2086a-e1fe-7cfe-892a-eb5fc9219f93`],
    define: (command) => void command.argument("<request>", "id"),
    run: async (call) => {
      const id = encodeURIComponent(operand(call));
      const { body } = await (await call.client()).post(`${requests.path}/${id}/${name}`);
      const { facts, state } = body as EnrolmentRequestAnswer;
      return said(body, `${facts.hostName}: ${state}`);
    },
  };
}

export const requestVerbs: readonly Verb[] = [
  listVerb<EnrolmentRequestAnswer>({
    kind: requests,
    summary: "list machines that wait to be let in",
    examples: ["backstay-server request list", "backstay-server request list --state denied"],
    titles: ["MACHINE", "SYSTEM", "ADDRESS", "ASKED", "STATE", "KEY", "ID"],
    row: ({ facts, address, createdMs, state, keyThumbprint, id }, nowMs) => [
      facts.hostName,
      facts.system,
      address,
      agoText(createdMs, nowMs),
      state,
      keyThumbprint,
      id,
    ],
    define: (command) =>
      void command.option("--state <state>", "pending, approved, denied or all", "pending"),
    query: ({ options }) => {
      const state = textOf(options["state"]);
      return { state: state === "all" ? undefined : state };
    },
  }),
  showVerb<EnrolmentRequestAnswer>({
    kind: requests,
    example: "backstay-server request show 01a2086a-e1fe-7cfe-892a-eb5fc9219f93",
    facts: (
      { facts, address, createdMs, state, keyThumbprint, id, agentId, forkedFrom },
      nowMs,
    ) => [
      ["Machine", facts.hostName],
      ["Id", id],
      ["System", `${facts.system} ${facts.systemVersion ?? ""} ${facts.architecture}`],
      ["Agent", facts.agentVersion],
      ["Address", address],
      ["Key", keyThumbprint],
      ["Asked", agoText(createdMs, nowMs)],
      ["State", state],
      ["Became machine", agentId ?? "-"],
      ["Copy of", forkedFrom ?? "-"],
    ],
  }),
  decision("approve", "let a machine in; it learns so when it asks again"),
  decision("deny", "send a machine away for good"),
];
