/** `backstay-server repository`: where the data of machines goes. */
import type { Command } from "commander";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { RepositoryAnswer } from "../../protocol/management/repositories.ts";
import { fileText, listOf, sizeOption, textOf } from "./option-values.ts";
import { momentText, sizeText } from "./quantities.ts";
import { member, standText } from "./repository-member.ts";
import { retireRoute, retiringText, routeText } from "./repository-retirement.ts";
import { objections, refuseBad, testRoutes, testVerb, withLastTest } from "./repository-test.ts";
import {
  addTarget,
  addTenantOption,
  listVerb,
  operand,
  removeVerb,
  repositories,
  said,
  showVerb,
  targetOf,
  tenantIdOf,
} from "./resource-verbs.ts";
import { collect, type Verb, type VerbCall } from "./verb.ts";

type Routes = RepositoryAnswer["routes"];
type GatewayRoute = Extract<Routes[number], { readonly kind: "gateway" }>;

function addSettings(command: Command): void {
  command
    .option("--gateway", "through the gateway of this server")
    .option("--storage <url>", "what the gateway keeps the files in; its folder if absent")
    .option("--storage-secret <name>", "secret with the account for that")
    .option("--storage-may-lock", "machines may lock what they store there, for immutability")
    .option("--storage-class <class>", "of new packs there, in the storage's own word")
    .option("--gateway-url <url>", "through the gateway at this address; repeatable", collect)
    .option(
      "--direct <url>",
      "straight to a store, {tenant} and {agent} for ids; repeatable",
      collect,
    )
    .option("--direct-secret <name>", "secret with the account for the direct routes")
    .option("--stored-max <size>", "most that each machine may store")
    .option("--stored-warn <size>", "a warning from there on");
  addTenantOption(command);
}

function storageOf(options: VerbCall["options"]): Pick<GatewayRoute, "storage"> {
  const url = textOf(options["storage"]);
  const secret = textOf(options["storageSecret"]);
  if (url === undefined) return {};
  const mayLock = options["storageMayLock"] === true;
  const storageClass = textOf(options["storageClass"]);
  return {
    storage: {
      url,
      ...(secret !== undefined && { secret }),
      ...(mayLock && { mayLock }),
      ...(storageClass !== undefined && { storageClass }),
    },
  };
}

/** In the order gateway, other gateways, direct; undefined if no option tells. `apply -f` takes any order. */
function routesOf({ options }: VerbCall): Routes | undefined {
  const secret = textOf(options["directSecret"]);
  const gateway = { kind: "gateway" as const, ...storageOf(options) };
  const routes = [
    ...(options["gateway"] === true ? [gateway] : []),
    ...listOf(options["gatewayUrl"]).map((url) => ({ ...gateway, url })),
    ...listOf(options["direct"]).map((url) => ({
      kind: "direct" as const,
      url,
      ...(secret === undefined ? {} : { secret }),
    })),
  ];
  return routes.length === 0 ? undefined : routes;
}

function quotasOf(
  { options }: VerbCall,
  before: RepositoryAnswer["quotas"],
): RepositoryAnswer["quotas"] {
  return {
    storedBytesMax: sizeOption("stored-max", options["storedMax"]) ?? before.storedBytesMax,
    storedBytesWarn: sizeOption("stored-warn", options["storedWarn"]) ?? before.storedBytesWarn,
  };
}

const create: Verb = {
  name: "create",
  summary: "make a repository, for policies to name as backstay:NAME",
  examples: [
    "backstay-server repository create main --gateway",
    "backstay-server repository create cloud --gateway --storage s3:https://s3.example/backups --storage-secret s3-account",
    "backstay-server repository create cloud --direct 's3:s3.example/backups/{tenant}/{agent}' --direct-secret s3-account",
  ],
  define: (command) => {
    command
      .argument("<name>", "name of the new repository")
      .option("--no-test", "do not look first whether its places are as they must be");
    addSettings(command);
  },
  run: async (call) => {
    const routes = routesOf(call);
    if (routes === undefined)
      throw new BackstayError("USAGE", { problem: "give --gateway, --gateway-url or --direct" });
    const given = {
      tenantId: await tenantIdOf(call),
      name: operand(call),
      routes,
      quotas: quotasOf(call, {}),
    };
    const client = await call.client();
    const test = call.options["test"] === false ? undefined : await testRoutes(client, given);
    if (test !== undefined) refuseBad(test, given.name);
    const made = (await client.post(repositories.path, given)).body as RepositoryAnswer;
    const waits = made.isUsable ? "" : "; it awaits the signature of the destination key";
    const line = `repository ${made.name} made: ${made.id}${waits}`;
    return { json: made, lines: [line, ...(test === undefined ? [] : objections(test))] };
  },
};

const change: Verb = {
  name: "set",
  summary: "change a repository; routes that are given replace all that it has",
  examples: ["backstay-server repository set main --stored-max '500 GiB'"],
  define: (command) => {
    command.argument("<repository>", "name or id").option("--name <name>", "another name");
    addSettings(command);
  },
  run: async (call) => {
    const client = await call.client();
    const { etag, body } = await targetOf<RepositoryAnswer>(call, repositories);
    const { id, name, routes, members, quotas } = body;
    const answer = await client.put(`${repositories.path}/${id}`, etag, {
      name: textOf(call.options["name"]) ?? name,
      routes: routesOf(call) ?? routes,
      members,
      quotas: quotasOf(call, quotas),
    });
    return said(answer.body, `repository ${(answer.body as RepositoryAnswer).name}: changed`);
  },
};

const unsigned: Verb = {
  name: "unsigned",
  summary: "print what awaits the signature of a destination key that is kept offline",
  examples: ["backstay-server repository unsigned main > destination.json"],
  define: (command) => {
    addTarget(command, repositories);
  },
  run: async (call) => {
    const { body } = await targetOf<RepositoryAnswer>(call, repositories);
    if (body.unsigned === null)
      throw new BackstayError("RESOURCE_STATE", {
        repository: body.name,
        problem: "nothing waits",
      });
    return { json: body.unsigned, lines: [JSON.stringify(body.unsigned)] };
  },
};

const sign: Verb = {
  name: "sign",
  summary: "take a signature that was made offline",
  examples: ["backstay-server repository sign main --file destination.jws"],
  define: (command) => {
    command
      .argument("<repository>", "name or id")
      .requiredOption("--file <file>", "the signed document, a compact JWS");
    addTenantOption(command);
  },
  run: async (call) => {
    const client = await call.client();
    const { id, name } = (await targetOf<RepositoryAnswer>(call, repositories)).body;
    const jws = (await fileText(String(call.options["file"]))).trim();
    const { body } = await client.post(`${repositories.path}/${id}/signature`, { jws });
    return said(body, `repository ${name}: signed`);
  },
};

export const repositoryVerbs: readonly Verb[] = [
  listVerb<RepositoryAnswer>({
    kind: repositories,
    summary: "list repositories",
    examples: ["backstay-server repository list"],
    titles: ["NAME", "ROUTES", "PER MACHINE", "STATE", "ID"],
    row: ({ name, routes, members, quotas, isUsable, unsigned: waiting, id }) => [
      name,
      members.length > 0 ? `pool of ${members.join(", ")}` : routes.map(routeText).join(", "),
      sizeText(quotas.storedBytesMax),
      isUsable ? (waiting === null ? "signed" : "change awaits signature") : "awaits signature",
      id,
    ],
  }),
  withLastTest(
    showVerb<RepositoryAnswer>({
      kind: repositories,
      example: "backstay-server repository show main",
      facts: (repository) => {
        const { name, id, tenantId, routes, retiring, members, quotas, epoch, createdMs } =
          repository;
        const { isUsable, unsigned: waiting } = repository;
        return [
          ["Name", name],
          ["Id", id],
          ["Tenant", tenantId],
          ["Routes", routes.map(routeText).join("\n") || "those of its members"],
          ["Members", members.join(", ") || "none"],
          ["State", standText(repository)],
          ["Retiring", retiring.map(retiringText).join("\n") || "none"],
          ["Each machine at most", sizeText(quotas.storedBytesMax)],
          ["Warning from", sizeText(quotas.storedBytesWarn)],
          ["Destination", `epoch ${epoch}, ${isUsable ? "signed" : "not signed yet"}`],
          ["Awaits signature", waiting === null ? "nothing" : "a change"],
          ["Made", momentText(createdMs)],
        ];
      },
    }),
  ),
  create,
  change,
  unsigned,
  sign,
  testVerb,
  member,
  retireRoute,
  removeVerb({
    kind: repositories,
    summary: "remove a repository that no policy names; what is stored in it stays",
    example: "backstay-server repository remove main",
    done: "removed; what is stored in it stays where it is",
  }),
];
