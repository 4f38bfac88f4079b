/** `backstay-server tenant`: who owns machines, repositories and policies. */
import type { Command } from "commander";
import type { TenantAnswer, TenantBody } from "../../protocol/management/tenants.ts";
import { countOption, momentOption, sizeOption, textOf } from "./option-values.ts";
import { momentText, sizeText } from "./quantities.ts";
import {
  findResource,
  listVerb,
  operand,
  removeVerb,
  said,
  showVerb,
  tenants,
} from "./resource-verbs.ts";
import type { Verb, VerbCall } from "./verb.ts";

function addSettings(command: Command): void {
  command
    .option("--agents-max <n>", "most machines; `none` for no limit")
    .option("--stored-max <size>", "most that its machines may store; `none` for no limit")
    .option("--stored-warn <size>", "a warning from there on; `none` for none")
    .option("--lease <when>", "date or duration until which its machines are served; `none`")
    .option("--recovery-key <key>", "public X25519 key (43 characters) for escrow; `none`")
    .option("--recovery-key-id <id>", "name of that key", "recovery");
}

/** What is in force, with what the options change. */
function settingsOf({ options }: VerbCall, before: TenantBody): TenantBody {
  const nowMs = Date.now();
  const changed = <Value>(
    name: string,
    now: Value,
    none: Value,
    read: (given: unknown) => Value | undefined,
  ): Value => {
    const given = options[camel(name)];
    return given === "none" ? none : (read(given) ?? now);
  };
  const { agentsMax, storedBytesMax, storedBytesWarn } = before.quotas;
  return {
    name: textOf(options["name"]) ?? before.name,
    quotas: {
      agentsMax: changed("agents-max", agentsMax, undefined, (given) =>
        countOption("agents-max", given),
      ),
      storedBytesMax: changed("stored-max", storedBytesMax, undefined, (given) =>
        sizeOption("stored-max", given),
      ),
      storedBytesWarn: changed("stored-warn", storedBytesWarn, undefined, (given) =>
        sizeOption("stored-warn", given),
      ),
    },
    leaseUntilMs: changed<number | null>("lease", before.leaseUntilMs, null, (given) =>
      momentOption("lease", given, nowMs),
    ),
    recoveryKey: changed<TenantBody["recoveryKey"]>(
      "recovery-key",
      before.recoveryKey,
      null,
      (given) =>
        typeof given === "string"
          ? { id: String(options["recoveryKeyId"]), key: given }
          : undefined,
    ),
  };
}

function camel(name: string): string {
  return name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

const create: Verb = {
  name: "create",
  summary: "make a tenant",
  examples: [
    "backstay-server tenant create acme",
    "backstay-server tenant create acme --agents-max 50 --stored-max '10 TiB'",
  ],
  define: (command) => {
    command.argument("<name>", "name of the new tenant");
    addSettings(command);
  },
  run: async (call) => {
    const none = { name: operand(call), quotas: {}, leaseUntilMs: null, recoveryKey: null };
    const { body } = await (await call.client()).post(tenants.path, settingsOf(call, none));
    const made = body as TenantAnswer;
    return said(made, `tenant ${made.name} made: ${made.id}`);
  },
};

const change: Verb = {
  name: "set",
  summary: "change what is decided about a tenant",
  examples: [
    "backstay-server tenant set acme --stored-max '20 TiB'",
    "backstay-server tenant set acme --lease 2027-12-31",
  ],
  define: (command) => {
    command.argument("<tenant>", "name or id").option("--name <name>", "another name");
    addSettings(command);
  },
  run: async (call) => {
    const client = await call.client();
    const { etag, body } = await findResource<TenantAnswer>(client, tenants, operand(call));
    const answer = await client.put(`${tenants.path}/${body.id}`, etag, settingsOf(call, body));
    return said(answer.body, `tenant ${(answer.body as TenantAnswer).name}: changed`);
  },
};

export const tenantVerbs: readonly Verb[] = [
  listVerb<TenantAnswer>({
    kind: tenants,
    summary: "list tenants",
    examples: ["backstay-server tenant list"],
    titles: ["NAME", "MACHINES MAX", "STORED MAX", "LEASE UNTIL", "ESCROW", "ID"],
    row: ({ name, quotas, leaseUntilMs, recoveryKey, id }) => [
      name,
      quotas.agentsMax === undefined ? "-" : String(quotas.agentsMax),
      sizeText(quotas.storedBytesMax),
      momentText(leaseUntilMs),
      recoveryKey === null ? "no" : "yes",
      id,
    ],
  }),
  showVerb<TenantAnswer>({
    kind: tenants,
    example: "backstay-server tenant show acme",
    facts: ({ name, id, quotas, leaseUntilMs, recoveryKey, createdMs }) => [
      ["Name", name],
      ["Id", id],
      ["Machines at most", quotas.agentsMax === undefined ? "no limit" : String(quotas.agentsMax)],
      ["Stored at most", sizeText(quotas.storedBytesMax)],
      ["Stored, warning from", sizeText(quotas.storedBytesWarn)],
      ["Lease until", momentText(leaseUntilMs)],
      [
        "Recovery key",
        recoveryKey === null ? "none: no escrow" : `${recoveryKey.id}: ${recoveryKey.key}`,
      ],
      ["Made", momentText(createdMs)],
    ],
  }),
  create,
  change,
  removeVerb({
    kind: tenants,
    summary: "remove a tenant that has neither machines nor repositories",
    example: "backstay-server tenant remove acme",
    done: "removed",
  }),
];
