/** `backstay-server command`: asks machines to do something. */

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import type { Command } from "commander";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { CommandOrder } from "../../protocol/control/command.ts";
import type { CommandAnswer, NewCommandsAnswer } from "../../protocol/management/commands.ts";
import { groups } from "./noun-group.ts";
import { durationOption, listOf, textOf } from "./option-values.ts";
import { agoText, momentText, sizeText } from "./quantities.ts";
import {
  addTenantOption,
  agents,
  idOf,
  listVerb,
  operand,
  type ResourceKind,
  said,
  showVerb,
  tenantIdOf,
} from "./resource-verbs.ts";
import { collect, type Shown, type Verb, type VerbCall } from "./verb.ts";

const commands: ResourceKind = { noun: "command", path: "/api/v1/commands", isUnnamed: true };

function orderText(order: CommandOrder): string {
  switch (order.kind) {
    case "run":
    case "check":
      return `${order.kind} ${order.policy}`;
    case "restore":
      return `restore ${order.snapshot} of ${order.policy} to ${order.target}`;
    case "stop":
      return `stop ${order.policy ?? order.command ?? "everything"}`;
    default:
      return order.kind;
  }
}

/** A verb that sends a command to a machine, or to each machine of a group. */
function sendVerb(parts: {
  readonly name: CommandOrder["kind"];
  readonly summary: string;
  readonly examples: readonly string[];
  readonly define?: (command: Command) => void;
  readonly order: (call: VerbCall) => CommandOrder;
}): Verb {
  return {
    name: parts.name,
    summary: parts.summary,
    examples: parts.examples,
    define: (command) => {
      parts.define?.(command);
      command
        .option("--agent <agent>", "the machine, by name or id")
        .option("--group <group>", "each machine of this group")
        .option("--within <duration>", "begun later than that, it is dropped")
        .option("-n, --dry-run", "only tell how many machines it would reach");
      addTenantOption(command);
    },
    run: async (call) => await send(call, parts.order(call)),
  };
}

async function send(call: VerbCall, order: CommandOrder): Promise<Shown> {
  const { options } = call;
  const [agent, group] = [textOf(options["agent"]), textOf(options["group"])];
  if ((agent === undefined) === (group === undefined))
    throw new BackstayError("USAGE", { problem: "give either --agent or --group" });
  const client = await call.client();
  const tenantId = await tenantIdOf(call);
  const target =
    agent === undefined
      ? { groupId: await idOf(client, groups, group ?? "", tenantId) }
      : { agentId: await idOf(client, agents, agent, tenantId) };
  const dryRun = options["dryRun"] === true;
  const lifetimeMs = durationOption("within", options["within"]);
  const { body } = await client.post(commands.path, { ...target, order, lifetimeMs, dryRun });
  const sent = body as NewCommandsAnswer;
  const [first] = sent.commands;
  const count = `${sent.count} ${sent.count === 1 ? "machine" : "machines"}`;
  return {
    json: body,
    lines: [
      dryRun
        ? `${orderText(order)}: would reach ${count}`
        : `${orderText(order)}: asked ${count}${sent.count === 1 ? `, command ${first.id}` : ""}`,
      ...sent.skipped.map(({ agentId, reason }) => `  not ${agentId}: ${reason}`),
    ],
    exitCode: sent.skipped.length > 0 ? 1 : 0,
  };
}

const definePolicy = (command: Command): Command =>
  command.argument("<policy>", "name of the policy");

const run = sendVerb({
  name: "run",
  summary: "run a policy now",
  examples: [
    "backstay-server command run documents --agent pc1",
    "backstay-server command run documents --group laptops --within 12h",
  ],
  define: definePolicy,
  order: (call) => ({ kind: "run", policy: operand(call), cause: "manual" }),
});

const stop = sendVerb({
  name: "stop",
  summary: "end what runs or waits on a machine: of a policy, or everything",
  examples: ["backstay-server command stop documents --agent pc1"],
  define: (command) =>
    void command.argument("[policy]", "name of the policy; everything if absent"),
  order: ({ operands }) => ({ kind: "stop", policy: operands.at(0) }),
});

const overwriteRules = ["never", "always", "if-changed", "if-newer"] as const;

const restore = sendVerb({
  name: "restore",
  summary: "restore into a folder of the machine",
  examples: [
    "backstay-server command restore documents --agent pc1 --target /srv/restored",
    "backstay-server command restore documents --agent pc1 --snapshot 3f2a91c0 --path /srv/docs/a.txt --target /tmp/a",
  ],
  define: (command) => {
    definePolicy(command)
      .requiredOption("--target <folder>", "absolute path of a folder of the machine")
      .option("--snapshot <id>", "which restore point", "latest")
      .option("--from <repository>", "name of an earlier repository of the policy's pool")
      .option("--path <path>", "only this path of the snapshot; repeatable", collect)
      .option("--overwrite <rule>", overwriteRules.join(", "), "never");
  },
  order: (call) => {
    const { options } = call;
    const overwrite = overwriteRules.find((rule) => rule === options["overwrite"]);
    if (overwrite === undefined)
      throw new BackstayError("USAGE", { option: "--overwrite", known: overwriteRules.join(", ") });
    return {
      kind: "restore",
      policy: operand(call),
      snapshot: String(options["snapshot"]),
      paths: [...listOf(options["path"])],
      target: String(options["target"]),
      overwrite,
      from: textOf(options["from"]),
    };
  },
});

const check = sendVerb({
  name: "check",
  summary: "check the repository of a policy from the machine",
  examples: ["backstay-server command check documents --agent pc1 --read 5%"],
  define: (command) => {
    definePolicy(command)
      .option("--read <part>", "structure, a part such as 5%, or all", "structure")
      .option("--from <repository>", "name of an earlier repository of the policy's pool");
  },
  order: (call) => ({
    kind: "check",
    policy: operand(call),
    data: String(call.options["read"]),
    from: textOf(call.options["from"]),
  }),
});

function plain(kind: "sync" | "collect-logs" | "clear-cache" | "leave", summary: string): Verb {
  return sendVerb({
    name: kind,
    summary,
    examples: [`backstay-server command ${kind} --agent pc1`],
    order: () => ({ kind }),
  });
}

const cancel: Verb = {
  name: "cancel",
  summary: "cancel a command; one that its machine has begun is stopped there",
  examples: ["backstay-server command cancel 01a2086a-e1fe-7cfe-892a-eb5fc9219f93"],
  define: (command) => void command.argument("<command>", "id"),
  run: async (call) => {
    const id = encodeURIComponent(operand(call));
    const { body } = await (await call.client()).post(`${commands.path}/${id}/cancel`);
    return said(body, `command ${operand(call)}: ${(body as CommandAnswer).state}`);
  },
};

const download: Verb = {
  name: "download",
  summary: "save what a command brought back, such as logs",
  examples: [
    "backstay-server command download 01a2086a-e1fe-7cfe-892a-eb5fc9219f93 --file logs.tar.gz",
  ],
  define: (command) => {
    command.argument("<command>", "id").requiredOption("--file <file>", "new file for it");
  },
  run: async (call) => {
    const file = String(call.options["file"]);
    const client = await call.client();
    const output = createWriteStream(file, { flags: "wx", mode: 0o600 });
    try {
      await once(output, "open");
      await client.download(
        `${commands.path}/${encodeURIComponent(operand(call))}/upload`,
        async (bytes) => {
          if (!output.write(bytes)) await once(output, "drain");
        },
      );
      output.end();
      await once(output, "finish");
    } catch (error) {
      if (!(error instanceof Error && "syscall" in error && "code" in error)) throw error;
      throw new BackstayError("OUTPUT_UNWRITABLE", { file, problem: String(error.code) }, error);
    } finally {
      output.destroy();
    }
    return said(
      { file, sizeBytes: output.bytesWritten },
      `${file}: ${sizeText(output.bytesWritten)}`,
    );
  },
};

export const commandVerbs: readonly Verb[] = [
  listVerb<CommandAnswer>({
    kind: commands,
    summary: "list commands, oldest first",
    examples: [
      "backstay-server command list --agent pc1",
      "backstay-server command list --state queued",
    ],
    titles: ["MADE", "MACHINE", "WHAT", "STATE", "WORD", "ID"],
    row: ({ createdMs, agentId, order, state, text, id }, nowMs) => [
      agoText(createdMs, nowMs),
      agentId,
      orderText(order),
      state,
      text,
      id,
    ],
    define: (command) => {
      command
        .option("--agent <agent>", "to this machine")
        .option(
          "--state <state>",
          "queued, accepted, running, succeeded, failed, rejected, expired or canceled",
        )
        .option(
          "--kind <kind>",
          "run, stop, restore, check, sync, collect-logs, clear-cache or leave",
        );
    },
    query: async ({ options, client }, tenantId) => {
      const agent = textOf(options["agent"]);
      return {
        agentId:
          agent === undefined ? undefined : await idOf(await client(), agents, agent, tenantId),
        state: textOf(options["state"]),
        kind: textOf(options["kind"]),
      };
    },
  }),
  showVerb<CommandAnswer>({
    kind: commands,
    example: "backstay-server command show 01a2086a-e1fe-7cfe-892a-eb5fc9219f93",
    facts: (command, nowMs) => [
      ["Command", orderText(command.order)],
      ["Id", command.id],
      ["Machine", command.agentId],
      ["State", command.state],
      ["Word of the machine", command.text === "" ? "-" : command.text],
      ["Session", command.sessionId ?? "-"],
      ["Error", command.errorCode ?? "-"],
      ["Made", `${momentText(command.createdMs)} by ${command.createdBy}`],
      ["Dropped if not begun", agoText(command.expiresMs, nowMs)],
      ["Brought back", sizeText(command.upload?.sizeBytes)],
    ],
  }),
  run,
  stop,
  restore,
  check,
  plain("sync", "have a machine ask for its policies now"),
  plain("collect-logs", "have a machine send its support bundle"),
  plain("clear-cache", "have a machine empty its cache"),
  plain("leave", "have a machine leave the fleet: policies stop, its backups stay"),
  cancel,
  download,
];
