/** `/api/v1/audit`: who changed what. */
import { z } from "zod";
import {
  type AuditEntryAnswer,
  type AuditVerdictAnswer,
  auditEntryAnswer,
  auditVerdictAnswer,
} from "../../protocol/management/audit.ts";
import { pageOf as listOf } from "../../protocol/management/resource.ts";
import { principalOf } from "../access/authorise.ts";
import type { App } from "../http/http-app.ts";
import { pageAnswer, pageOf } from "../http/page-cursor.ts";
import type { ManagementRooms } from "./management-rooms.ts";
import { api, forRole, forWholeServer, narrowedScope, tenantPageQuery } from "./route-parts.ts";

const tags = ["audit"];

const auditQuery = tenantPageQuery.extend({
  action: z.string().max(100).optional().describe("`noun.verb`, or `noun.` for all verbs."),
  target: z.string().max(200).optional(),
  actor: z.string().max(200).optional(),
  sinceMs: z.coerce.number().int().min(0).optional(),
});

/** A page's key is the sequence of its last entry. */
function sequenceOf(key: string | null): number {
  return key !== null && /^\d{1,15}$/.test(key) ? Number(key) : 0;
}

export function auditRoutes(app: App, { ground, audit }: ManagementRooms): void {
  app.get(
    `${api}/audit`,
    {
      ...forRole("admin"),
      schema: {
        tags,
        summary: "Lists audit entries, oldest first.",
        querystring: auditQuery,
        response: { 200: listOf(auditEntryAnswer) },
      },
    },
    async (request) => {
      const { tenantId, action, target, actor, sinceMs } = request.query;
      const page = pageOf(request.query);
      const scope = narrowedScope(principalOf(request).scope, tenantId);
      let query = ground.database
        .selectFrom("audit")
        .selectAll()
        .where("sequence", ">", sequenceOf(page.after));
      if (scope !== null) query = query.where("tenant_id", "=", scope);
      if (action?.endsWith(".") === true)
        query = query.where("action", ">=", action).where("action", "<", `${action.slice(0, -1)}/`);
      else if (action !== undefined) query = query.where("action", "=", action);
      if (target !== undefined) query = query.where("target", "=", target);
      if (actor !== undefined) query = query.where("actor", "=", actor);
      if (sinceMs !== undefined) query = query.where("time_ms", ">=", sinceMs);
      const rows = await query.orderBy("sequence").limit(page.limit).execute();
      const items = rows.map((row): AuditEntryAnswer & { id: string } => ({
        id: String(row.sequence),
        sequence: row.sequence,
        timeMs: row.time_ms,
        tenantId: row.tenant_id,
        actor: row.actor,
        action: row.action,
        target: row.target,
        details: JSON.parse(row.details) as Record<string, unknown>,
      }));
      return pageAnswer(page, items);
    },
  );
  app.get(
    `${api}/audit/verification`,
    {
      ...forWholeServer("admin"),
      schema: {
        tags,
        summary: "Reads the whole audit log and tells whether any entry was altered or taken out.",
        response: { 200: auditVerdictAnswer },
      },
    },
    async (): Promise<AuditVerdictAnswer> => {
      const { entries, brokenAt = null } = await audit.verify(ground.database);
      return { entries, brokenAt };
    },
  );
}
