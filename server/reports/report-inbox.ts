/** Takes the reports of machines: each id counts once, however often it comes; a batch is durable whole or not at all. */
import type { ReportReceipt } from "../../protocol/control/reports.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { afterBackup, newProtection, protectionOf, writeProtection } from "./protection.ts";
import { idOf, type UnderstoodReport, understand } from "./report-content.ts";

/** Whose report it is. */
export interface Reporter {
  readonly id: string;
  readonly tenantId: string;
}

const policiesMax = 500;

export class ReportInbox {
  readonly #ground: ServerGround;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  /** Takes a batch. What has no id and can't be taken is left out of the receipt. */
  async take(agent: Reporter, batch: readonly unknown[]): Promise<ReportReceipt> {
    const receivedMs = this.#ground.now();
    const understood: UnderstoodReport[] = [];
    const rejected: { id: string; reason: string }[] = [];
    for (const given of batch) {
      const found = understand(given, receivedMs);
      const id = idOf(given);
      if (!("reason" in found)) understood.push(found);
      else if (id !== undefined) rejected.push({ id, reason: found.reason });
    }
    for (const { id, reason } of rejected)
      this.#ground.log.warning("A report can't be taken.", {
        agent: agent.id,
        report: id,
        problem: reason,
      });
    if (understood.length > 0)
      await this.#ground.database.transaction().execute(async (queries) => {
        const isNew = await this.#insert(queries, agent, understood, receivedMs);
        const news = understood.filter(({ report }) => isNew.has(report.id));
        await this.#protect(queries, agent, news, receivedMs);
      });
    return { accepted: understood.map(({ report }) => report.id), rejected };
  }

  /** Ids of those that were not known. */
  async #insert(
    queries: Queries,
    agent: Reporter,
    understood: readonly UnderstoodReport[],
    receivedMs: number,
  ): Promise<Set<string>> {
    const unique = [...new Map(understood.map((each) => [each.report.id, each])).values()];
    const rows = await queries
      .insertInto("reports")
      .values(
        unique.map(({ report, policy, outcome }) => ({
          agent_id: agent.id,
          id: report.id,
          tenant_id: agent.tenantId,
          kind: report.kind,
          time_ms: Math.round(report.timeMs),
          received_ms: receivedMs,
          policy,
          outcome,
          body: JSON.stringify(report),
        })),
      )
      .onConflict((conflict) => conflict.columns(["agent_id", "id"]).doNothing())
      .returning("id")
      .execute();
    return new Set(rows.map(({ id }) => id));
  }

  async #protect(
    queries: Queries,
    agent: Reporter,
    news: readonly UnderstoodReport[],
    nowMs: number,
  ): Promise<void> {
    const backups = news.filter(({ backup }) => backup !== undefined);
    if (backups.length === 0) return;
    const known = await protectionOf(queries, agent.id);
    const changed = new Set<string>();
    for (const { policy, outcome, backup } of backups) {
      if (backup === undefined || (!known.has(policy) && known.size >= policiesMax)) continue;
      const row = known.get(policy) ?? newProtection(agent.id, agent.tenantId, policy, nowMs);
      known.set(policy, afterBackup(row, { policy, outcome, ...backup }, nowMs));
      changed.add(policy);
    }
    for (const policy of changed) {
      const row = known.get(policy);
      if (row !== undefined) await writeProtection(queries, row);
    }
  }
}
