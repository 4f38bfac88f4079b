/** `backstay-server api-token`: who may use the management API. */
import type { ApiTokenAnswer, NewApiTokenAnswer } from "../../protocol/management/api-tokens.ts";
import { momentOption } from "./option-values.ts";
import { agoText, momentText } from "./quantities.ts";
import {
  addTenantOption,
  findResource,
  listVerb,
  operand,
  type ResourceKind,
  said,
  tenantIdOf,
} from "./resource-verbs.ts";
import type { Verb } from "./verb.ts";

const apiTokens: ResourceKind = { noun: "api-token", path: "/api/v1/api-tokens", isUnnamed: true };

const create: Verb = {
  name: "create",
  summary: "make a token, and print it this once",
  examples: [
    "backstay-server api-token create monitoring --role read-only --expires 365d",
    "backstay-server api-token create acme-admin --role admin --tenant acme > acme.token",
  ],
  define: (command) => {
    command
      .argument("<name>", "what it is for")
      .option("--role <role>", "read-only, operator or admin", "read-only")
      .option("--expires <when>", "date or duration; without end if absent");
    addTenantOption(command);
  },
  run: async (call) => {
    const { body } = await (await call.client()).post(apiTokens.path, {
      name: operand(call),
      tenantId: await tenantIdOf(call),
      role: call.options["role"],
      expiresMs: momentOption("expires", call.options["expires"], Date.now()) ?? null,
    });
    const made = body as NewApiTokenAnswer;
    call.io.note(`api-token ${made.name} (${made.role}) made. It is shown this once:`);
    return { json: made, lines: [made.token] };
  },
};

const revoke: Verb = {
  name: "revoke",
  summary: "end a token: it counts no longer, and stays in the list",
  examples: ["backstay-server api-token revoke 01a2086a-e1fe-7cfe-892a-eb5fc9219f93"],
  define: (command) => void command.argument("<api-token>", "id"),
  run: async (call) => {
    const client = await call.client();
    const { etag, body } = await findResource<ApiTokenAnswer>(client, apiTokens, operand(call));
    const answer = await client.remove(`${apiTokens.path}/${body.id}`, etag);
    return said(answer.body, `api-token ${body.name}: revoked`);
  },
};

export const apiTokenVerbs: readonly Verb[] = [
  listVerb<ApiTokenAnswer>({
    kind: apiTokens,
    summary: "list tokens, never their texts",
    examples: ["backstay-server api-token list"],
    titles: ["NAME", "ROLE", "TENANT", "STATE", "LAST USED", "EXPIRES", "ID"],
    row: (token, nowMs) => [
      token.name,
      token.role,
      token.tenantId ?? "all",
      token.revokedMs === null
        ? token.expiresMs !== null && token.expiresMs <= nowMs
          ? "expired"
          : "usable"
        : "revoked",
      agoText(token.lastUsedMs, nowMs),
      momentText(token.expiresMs),
      token.id,
    ],
  }),
  create,
  revoke,
];
