/** `/api/v1/commands`: what machines are asked to do, and what became of it. */
import { z } from "zod";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { type CommandOrder, commandStates } from "../../protocol/control/command.ts";
import {
  commandAnswer,
  type NewCommandsAnswer,
  newCommandBody,
  newCommandsAnswer,
} from "../../protocol/management/commands.ts";
import { resourceId } from "../../protocol/management/resource.ts";
import type { Principal } from "../access/api-tokens.ts";
import { principalOf } from "../access/authorise.ts";
import type { App } from "../http/http-app.ts";
import { Problem } from "../http/problem.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import { actionRoute, listRoute, showRoute } from "./resource-routes.ts";
import { api, forRole, idempotencyHeader, idParameters, tenantPageQuery } from "./route-parts.ts";

const tags = ["commands"];
const kind = { path: "commands", tags, answer: commandAnswer };
/** Commands and skipped machines that an answer shows. */
const shownMax = 1000;
const memberRows = 1000;

const commandQuery = tenantPageQuery.extend({
  agentId: resourceId.optional(),
  state: z.enum(commandStates).optional(),
  kind: z
    .enum(["run", "stop", "restore", "check", "sync", "collect-logs", "clear-cache", "leave"])
    .optional(),
});

export function commandRoutes(app: App, rooms: ManagementRooms): void {
  const { commands } = rooms;
  listRoute(app, kind, "Lists commands, oldest first.", commandQuery, commands);
  app.post(
    `${api}/commands`,
    {
      ...forRole("operator"),
      schema: {
        tags,
        summary:
          "Asks a machine, or each machine of a group, to do something. Machines that are off do it later.",
        headers: idempotencyHeader,
        body: newCommandBody,
        response: { 200: newCommandsAnswer, 201: newCommandsAnswer },
      },
    },
    async (request, reply) => {
      const asker = principalOf(request);
      const { agentId, groupId, order, lifetimeMs, dryRun } = request.body;
      requireRole(asker, order);
      const targets =
        groupId === undefined
          ? [(await rooms.agents.get(asker.scope, agentId ?? "")).id]
          : await membersOf(rooms, asker, groupId);
      if (dryRun)
        return await reply.status(200).send({ count: targets.length, commands: [], skipped: [] });
      return await reply
        .status(201)
        .send(await sendAll(rooms, asker, targets, { order, lifetimeMs }));
    },
  );
  showRoute(app, kind, "Shows a command.", commands);
  actionRoute(
    app,
    kind,
    "cancel",
    "operator",
    "Cancels a command; one that its machine has begun is stopped there.",
    async ({ actor, scope }, id) => await commands.cancel(actor, scope, id),
  );
  uploadRoute(app, rooms);
}

function uploadRoute(app: App, { uploads }: ManagementRooms): void {
  app.get(
    `${api}/commands/:id/upload`,
    {
      ...forRole("operator"),
      schema: {
        tags,
        summary: "Downloads what a command brought back, such as logs.",
        params: idParameters,
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { sizeBytes, content } = await uploads.open(principalOf(request).scope, id);
      return await reply
        .type("application/octet-stream")
        .header("content-length", sizeBytes)
        .header("content-disposition", `attachment; filename="${id}.tar.gz"`)
        .send(content);
    },
  );
}

/** A machine that leaves comes back only by a new enrolment. */
function requireRole({ role }: Principal, order: CommandOrder): void {
  if (order.kind === "leave" && role !== "admin")
    throw new Problem({
      status: 403,
      code: "forbidden",
      title: "The token's role or tenant is not enough for this.",
    });
}

async function membersOf(
  { groups }: ManagementRooms,
  { scope }: Principal,
  groupId: string,
): Promise<string[]> {
  const ids: string[] = [];
  for (let after: string | null = null; ; ) {
    const members = await groups.members(scope, groupId, { after, limit: memberRows });
    ids.push(...members.map(({ id }) => id));
    if (members.length < memberRows) return ids;
    after = members.at(-1)?.id ?? null;
  }
}

/** One machine refuses for all; of many, those that refuse are skipped. */
async function sendAll(
  { commands }: ManagementRooms,
  { actor, scope }: Principal,
  targets: readonly string[],
  given: { readonly order: CommandOrder; readonly lifetimeMs?: number | undefined },
): Promise<NewCommandsAnswer> {
  const answer: NewCommandsAnswer = { count: 0, commands: [], skipped: [] };
  for (const agentId of targets)
    try {
      const command = await commands.create(actor, scope, { agentId, ...given });
      answer.count += 1;
      if (answer.commands.length < shownMax) answer.commands.push(command);
    } catch (error) {
      const isItsOwn =
        isBackstayError(error, "RESOURCE_STATE") || isBackstayError(error, "RESOURCE_UNKNOWN");
      if (targets.length === 1 || !isItsOwn || !(error instanceof BackstayError)) throw error;
      if (answer.skipped.length < shownMax) answer.skipped.push({ agentId, reason: error.message });
    }
  return answer;
}
