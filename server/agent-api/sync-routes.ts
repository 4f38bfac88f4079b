/** Routes of the agents' API: being woken, commands, status and reports. */
import { z } from "zod";
import { agentApi, answerHeaders } from "../../protocol/control/agent-api.ts";
import { commandList, commandProgress, wakeAnswer } from "../../protocol/control/command.ts";
import { agentStatus, reportReceipt } from "../../protocol/control/reports.ts";
import type { CommandUploads } from "../commands/command-uploads.ts";
import type { Commands } from "../commands/commands.ts";
import type { App } from "../http/http-app.ts";
import type { ReportInbox } from "../reports/report-inbox.ts";
import type { ServerMemory } from "../reports/server-memory.ts";
import type { StatusInbox } from "../reports/status-inbox.ts";
import { uploadRoute } from "./upload-route.ts";
import type { WakeDesk } from "./wake-desk.ts";

export interface SyncRouteParts {
  readonly wakes: WakeDesk;
  readonly commands: Commands;
  readonly uploads: CommandUploads;
  readonly statuses: StatusInbox;
  readonly reports: ReportInbox;
  readonly memory: Pick<ServerMemory, "gaps">;
}

const nothing = z.undefined();
const ofAgent = { config: { access: { kind: "agent" as const } } };
const bodyBytesMax = 4 * 1024 * 1024;
const idParameters = z.object({ id: z.string().min(1).max(100) });
/** Each report is looked at by itself: one that is not as it must be does not spoil the others. */
const anyReports = z.object({ reports: z.array(z.unknown()).min(1).max(200) });

/** Registers the routes behind `authenticateAgents`. */
export function syncRoutes(app: App, parts: SyncRouteParts): void {
  wakeRoute(app, parts);
  commandRoutes(app, parts);
  uploadRoute(app, parts);
  reportRoutes(app, parts);
}

function wakeRoute(app: App, { wakes, memory }: SyncRouteParts): void {
  app.get(
    agentApi.wake,
    {
      config: { access: { kind: "agent" }, isHeld: true },
      schema: {
        querystring: z.object({ cursor: z.string().max(100).default("") }),
        response: { 200: wakeAnswer, 204: nothing },
      },
    },
    async (request, reply) => {
      const closed = new AbortController();
      const onClose = (): void => closed.abort();
      reply.raw.once("close", onClose);
      const outcome = await wakes.wait(request.agent, request.query.cursor, closed.signal);
      reply.raw.removeListener("close", onClose);
      reply.header(answerHeaders.memory, await memory.gaps());
      if (outcome.kind === "news") return await reply.status(200).send(outcome.answer);
      if (outcome.kind === "off") reply.header(answerHeaders.wake, "off");
      else if (outcome.retryAfterSeconds !== undefined)
        reply.header("retry-after", String(outcome.retryAfterSeconds));
      return await reply.status(204).send();
    },
  );
}

function commandRoutes(app: App, { commands }: SyncRouteParts): void {
  app.get(
    agentApi.commands,
    { ...ofAgent, schema: { response: { 200: commandList } } },
    async ({ agent }) => await commands.openFor(agent.id),
  );
  app.put(
    agentApi.commandState(":id"),
    {
      ...ofAgent,
      schema: { params: idParameters, body: commandProgress, response: { 204: nothing } },
    },
    async ({ agent, params, body }, reply) => {
      await commands.progress(agent.id, params.id, body);
      return await reply.status(204).send();
    },
  );
}

function reportRoutes(app: App, { statuses, reports, memory }: SyncRouteParts): void {
  app.put(
    agentApi.status,
    {
      ...ofAgent,
      bodyLimit: bodyBytesMax,
      schema: { body: agentStatus, response: { 204: nothing } },
    },
    async ({ agent, body }, reply) => {
      await statuses.take(agent, body);
      reply.header(answerHeaders.memory, await memory.gaps());
      return await reply.status(204).send();
    },
  );
  app.post(
    agentApi.reports,
    {
      ...ofAgent,
      bodyLimit: bodyBytesMax,
      schema: { body: anyReports, response: { 200: reportReceipt } },
    },
    async ({ agent, body }) => await reports.take(agent, body.reports),
  );
}
