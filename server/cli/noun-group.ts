/** `backstay-server group`: machines that policies are given to together. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { GroupAnswer, GroupMemberAnswer } from "../../protocol/management/groups.ts";
import { namesFromCsv } from "../../protocol/management/names-from-csv.ts";
import type { SelectionAnswer } from "../../protocol/management/policies.ts";
import { fileText, labelsOf, listOf, textOf } from "./option-values.ts";
import { momentText } from "./quantities.ts";
import {
  addTarget,
  addTenantOption,
  agents,
  idOf,
  listVerb,
  operand,
  type ResourceKind,
  removeVerb,
  said,
  showVerb,
  targetIdOf,
  targetOf,
  tenantIdOf,
} from "./resource-verbs.ts";
import { tableLines } from "./text-table.ts";
import { collect, type Shown, type Verb, type VerbCall } from "./verb.ts";

export const groups: ResourceKind = { noun: "group", path: "/api/v1/groups" };

/** By what a group has its machines, in words. */
export function selectorText(selector: GroupAnswer["selector"]): string {
  switch (selector.kind) {
    case "static":
      return "put in by hand";
    case "labels":
      return Object.entries(selector.labels)
        .map(([label, value]) => `${label}=${value}`)
        .join(", ");
    case "names":
      return `${selector.names.length} names`;
  }
}

/** Undefined if no option tells. */
async function selectorOf({ options }: VerbCall): Promise<GroupAnswer["selector"] | undefined> {
  const csv = textOf(options["csv"]);
  const labels = listOf(options["label"]);
  if (csv !== undefined && labels.length > 0)
    throw new BackstayError("USAGE", { problem: "give either --label or --csv" });
  if (csv !== undefined) {
    const names = namesFromCsv(await fileText(csv));
    if (names.length === 0)
      throw new BackstayError("USAGE", { file: csv, problem: "it names no machine" });
    return { kind: "names", names };
  }
  return labels.length === 0 ? undefined : { kind: "labels", labels: labelsOf(labels) };
}

const selectorOptions: NonNullable<Verb["define"]> = (command) => {
  command
    .option(
      "--label <name=value>",
      "machines with this label, * for any value; repeatable",
      collect,
    )
    .option(
      "--csv <file>",
      "machines whose names are in this file, one a line or in a column NAME",
    );
  addTenantOption(command);
};

const create: Verb = {
  name: "create",
  summary: "make a group",
  examples: [
    "backstay-server group create laptops --label kind=laptop",
    "backstay-server group create accounting --csv accounting.csv",
    "backstay-server group create by-hand",
  ],
  define: (command) => {
    command.argument("<name>", "name of the new group");
    selectorOptions(command);
  },
  run: async (call) => {
    const selector = (await selectorOf(call)) ?? { kind: "static" };
    const given = { tenantId: await tenantIdOf(call), name: operand(call), selector };
    const made = (await (await call.client()).post(groups.path, given)).body as GroupAnswer;
    return said(made, `group ${made.name} made: ${made.id}`);
  },
};

const change: Verb = {
  name: "set",
  summary: "change the name of a group, or by what it has its machines",
  examples: ["backstay-server group set accounting --csv accounting.csv"],
  define: (command) => {
    command.argument("<group>", "name or id").option("--name <name>", "another name");
    selectorOptions(command);
  },
  run: async (call) => {
    const { etag, body } = await targetOf<GroupAnswer>(call, groups);
    const { id, name, selector } = body;
    const answer = await (await call.client()).put(`${groups.path}/${id}`, etag, {
      name: textOf(call.options["name"]) ?? name,
      selector: (await selectorOf(call)) ?? selector,
    });
    return said(answer.body, `group ${(answer.body as GroupAnswer).name}: changed`);
  },
};

const members: Verb = {
  name: "members",
  summary: "list the machines of a group",
  examples: ["backstay-server group members laptops"],
  define: (command) => addTarget(command, groups),
  run: async (call) => {
    const place = `${groups.path}/${await targetIdOf(call, groups)}/members`;
    const items = await (await call.client()).list<GroupMemberAnswer>(place);
    return {
      json: items,
      lines: tableLines(
        ["NAME", "ID"],
        items.map((item) => [item.name, item.id]),
      ),
    };
  },
};

const preview: Verb = {
  name: "preview",
  summary: "count the machines that a group with these options would have",
  examples: ["backstay-server group preview --label site=berlin"],
  define: selectorOptions,
  run: async (call) => {
    const selector = await selectorOf(call);
    if (selector === undefined)
      throw new BackstayError("USAGE", { problem: "give --label or --csv" });
    const given = { tenantId: await tenantIdOf(call), selector };
    const { body } = await (await call.client()).post(`${groups.path}/preview`, given);
    return selectionShown(body as SelectionAnswer);
  },
};

/** How many machines a selection has, and some of them. */
export function selectionShown(answer: SelectionAnswer): Shown {
  const { count, examples } = answer;
  return { json: answer, lines: [`${count} machines`, ...examples.map(({ name }) => `  ${name}`)] };
}

function memberChange(name: "add" | "take", path: string, summary: string, done: string): Verb {
  return {
    name,
    summary,
    examples: [`backstay-server group ${name} by-hand pc1 pc2`],
    define: (command) => {
      command.argument("<group>", "name or id").argument("<machines...>", "names or ids");
      addTenantOption(command);
    },
    run: async (call) => {
      const client = await call.client();
      const tenantId = await tenantIdOf(call);
      const id = await idOf(client, groups, operand(call), tenantId);
      const agentIds: string[] = [];
      for (const given of call.operands.slice(1))
        agentIds.push(await idOf(client, agents, given, tenantId));
      await client.post(`${groups.path}/${id}/${path}`, { agentIds });
      return said({ id, agentIds }, `${agentIds.length} ${done}`);
    },
  };
}

export const groupVerbs: readonly Verb[] = [
  listVerb<GroupAnswer>({
    kind: groups,
    summary: "list groups",
    examples: ["backstay-server group list"],
    titles: ["NAME", "MACHINES BY", "ID"],
    row: ({ name, selector, id }) => [name, selectorText(selector), id],
  }),
  showVerb<GroupAnswer>({
    kind: groups,
    example: "backstay-server group show laptops",
    facts: ({ name, id, tenantId, selector, createdMs }) => [
      ["Name", name],
      ["Id", id],
      ["Tenant", tenantId],
      ["Machines by", selectorText(selector)],
      ...(selector.kind === "names" ? [["Names", selector.names.join("\n")] as const] : []),
      ["Made", momentText(createdMs)],
    ],
  }),
  create,
  change,
  members,
  preview,
  memberChange(
    "add",
    "members",
    "put machines into a group that does not select them itself",
    "put in",
  ),
  memberChange("take", "members/remove", "take machines out of such a group", "taken out"),
  removeVerb({
    kind: groups,
    summary: "remove a group that no policy and no enrolment token names; its machines stay",
    example: "backstay-server group remove laptops",
    done: "removed",
  }),
];
