/** What machines have reported, for people: sessions and events, newest first. */
import type { Selectable } from "kysely";
import type { Report } from "../../protocol/control/reports.ts";
import type { Tables } from "../database/tables.ts";
import { knownRow, type Page, type TenantScope } from "../ground/resource-access.ts";
import type { ServerGround } from "../ground/server-ground.ts";

export interface ReportedItem {
  /** Of the machine and of its report, together. */
  readonly id: string;
  readonly tenantId: string;
  readonly agentId: string;
  /** By the server's time as the machine knew it. */
  readonly timeMs: number;
  readonly receivedMs: number;
  /** Of an event: what it is about. */
  readonly policy: string;
  /** Of an event: its severity. */
  readonly outcome: string;
  /** As it came. */
  readonly report: Report;
}

/** What is given must hold. */
export interface ReportFilter {
  readonly agentId?: string | undefined;
  readonly policy?: string | undefined;
  readonly outcome?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

/** Between the parts of a page's key and of an item's id; in no UUID and no number. */
const separator = ".";

export class ReportedSessions {
  readonly #ground: Pick<ServerGround, "database">;

  constructor(ground: Pick<ServerGround, "database">) {
    this.#ground = ground;
  }

  /** Newest first. The key of a page's last item is `keyOf` it. */
  async list(
    kind: Report["kind"],
    scope: TenantScope,
    page: Page,
    filter: ReportFilter = {},
  ): Promise<ReportedItem[]> {
    const { agentId, policy, outcome, fromMs, untilMs } = filter;
    let query = this.#ground.database.selectFrom("reports").selectAll().where("kind", "=", kind);
    if (scope !== null) query = query.where("tenant_id", "=", scope);
    if (agentId !== undefined) query = query.where("agent_id", "=", agentId);
    if (policy !== undefined) query = query.where("policy", "=", policy);
    if (outcome !== undefined) query = query.where("outcome", "=", outcome);
    if (fromMs !== undefined) query = query.where("time_ms", ">=", fromMs);
    if (untilMs !== undefined) query = query.where("time_ms", "<", untilMs);
    if (page.after !== null) {
      const [time = "", agent = "", ...rest] = page.after.split(separator);
      const timeMs = Number.isSafeInteger(Number(time)) ? Number(time) : 0;
      const id = rest.join(separator);
      query = query.where((is) =>
        is.or([
          is("time_ms", "<", timeMs),
          is.and([is("time_ms", "=", timeMs), is("id", "<", id)]),
          is.and([is("time_ms", "=", timeMs), is("id", "=", id), is("agent_id", "<", agent)]),
        ]),
      );
    }
    const rows = await query
      .orderBy("time_ms", "desc")
      .orderBy("id", "desc")
      .orderBy("agent_id", "desc")
      .limit(page.limit)
      .execute();
    return rows.map(itemOf);
  }

  /** RESOURCE_UNKNOWN if there is none that the asker may see. */
  async get(kind: Report["kind"], scope: TenantScope, itemId: string): Promise<ReportedItem> {
    const [agentId = "", ...rest] = itemId.split(separator);
    let query = this.#ground.database
      .selectFrom("reports")
      .selectAll()
      .where("agent_id", "=", agentId)
      .where("id", "=", rest.join(separator))
      .where("kind", "=", kind);
    if (scope !== null) query = query.where("tenant_id", "=", scope);
    return itemOf(knownRow(kind, itemId, await query.executeTakeFirst()));
  }
}

/** What a page ends with, for the next one. */
export function keyOf({ timeMs, id }: ReportedItem): string {
  return [timeMs, id].join(separator);
}

function itemOf(row: Selectable<Tables["reports"]>): ReportedItem {
  return {
    id: [row.agent_id, row.id].join(separator),
    tenantId: row.tenant_id,
    agentId: row.agent_id,
    timeMs: row.time_ms,
    receivedMs: row.received_ms,
    policy: row.policy,
    outcome: row.outcome,
    report: JSON.parse(row.body) as Report,
  };
}
