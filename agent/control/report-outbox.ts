/**
 * What the server is to hear of, at least once: sessions that have ended, and events. Kept in the state until the
 * server has it, for weeks without a server; what had to be dropped for want of room is itself reported.
 */
import { randomUUID } from "node:crypto";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { agentApi } from "../../protocol/control/agent-api.ts";
import { type Report, reportReceipt } from "../../protocol/control/reports.ts";
import type { RunIssue } from "../../protocol/run-order.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import type { LostReports, ReportStore } from "../state/state.ts";
import { type MemoryGap, unheededGap } from "./memory-gaps.ts";
import type { ServerCalls } from "./server-calls.ts";

const batch = { reports: 200, bytes: 900_000 };
const issuesMax = 100;
const textMax = 4000;

/** What a session's report says besides its record. */
export interface SessionCircumstances {
  readonly issues: readonly RunIssue[];
  /** Of the bundle that was in force. */
  readonly bundleSerial?: number;
  /** `gateway`, `direct`. */
  readonly route?: string;
}

export interface EventReport {
  readonly code: string;
  readonly severity: "info" | "warning" | "error";
  readonly text: string;
  /** What it is about, such as the name of a policy. */
  readonly subject?: string;
}

export interface ReportOutboxParts {
  readonly store: ReportStore;
  readonly link: ServerCalls;
  /** Server's time, ms since 1970. */
  readonly nowMs: () => number;
  /** Server's clock minus this machine's, ms: sessions are noted by the latter. */
  readonly offsetMs: () => number;
  /** Told of reports that the server can never take: they are dropped. */
  readonly onRejected: (id: string, reason: string) => void;
  /** Told when something new waits. */
  readonly onAdded?: () => void;
}

export class ReportOutbox {
  readonly #parts: ReportOutboxParts;

  constructor(parts: ReportOutboxParts) {
    this.#parts = parts;
  }

  /**
   * Adds the report of a session that has ended; nothing if there was one already, whenever that was. To be called
   * when a session ends, and at each start for the newest ones, in case the daemon died in between.
   */
  addSession(session: SessionRecord, { issues, ...rest }: SessionCircumstances): void {
    const { nowMs, offsetMs } = this.#parts;
    const endedMs = (session.finishedMs ?? session.queuedMs) + offsetMs();
    this.#add({
      // Made of the session's own id: the same one after the state was lost or set back.
      id: `session-${session.id}`,
      kind: "session",
      timeMs: Math.min(endedMs, nowMs()),
      session: { ...session },
      issues: issues.slice(0, issuesMax).map((issue) => ({ ...issue })),
      ...rest,
    });
  }

  addEvent({ code, severity, text, subject = "" }: EventReport): void {
    this.#add(this.#event({ code, severity, text, subject }));
  }

  waiting(): number {
    return this.#parts.store.waiting();
  }

  /** Of those gaps of the server's memory, what was not heeded yet; undefined: nothing. */
  unheeded(gaps: readonly MemoryGap[]): MemoryGap | undefined {
    return gaps.length === 0 ? undefined : unheededGap(gaps, this.#parts.store.heededMs());
  }

  /** What was delivered in that gap of the server's memory waits again. */
  recall({ reachesMs, notedMs }: MemoryGap): void {
    this.#parts.store.recall(reachesMs, notedMs);
  }

  /** Sends all that waits, oldest first. Rejects as the link does; what the server did not confirm goes on waiting. */
  async send(signal: AbortSignal): Promise<void> {
    const { store, link, onRejected } = this.#parts;
    store.confess((lost) =>
      this.#event({
        code: "REPORTS_LOST",
        severity: "warning",
        text: textOfLoss(lost),
        subject: "",
      }),
    );
    for (;;) {
      const reports = store.next(batch.reports, batch.bytes);
      if (reports.length === 0) return;
      const path = agentApi.reports;
      const answer = await link.call({ method: "POST", path, body: { reports }, signal });
      const receipt = reportReceipt.safeParse(answer.body).data;
      const sent = new Set(reports.map(({ id }) => id));
      const rejected = (receipt?.rejected ?? []).filter(({ id }) => sent.has(id));
      const settled = [...(receipt?.accepted ?? []), ...rejected.map(({ id }) => id)].filter((id) =>
        sent.has(id),
      );
      if (settled.length === 0)
        throw new BackstayError("LINK_FAILED", { problem: "what came is no receipt of reports" });
      store.delivered(settled, this.#parts.nowMs());
      for (const { id, reason } of rejected) onRejected(id, reason);
    }
  }

  #event({ code, severity, text, subject }: Required<EventReport>): Report {
    return {
      id: `event-${randomUUID()}`,
      kind: "event",
      timeMs: this.#parts.nowMs(),
      code,
      severity,
      text: text.slice(0, textMax),
      subject: subject.slice(0, 200),
    };
  }

  #add(report: Report): void {
    if (this.#parts.store.add(report)) this.#parts.onAdded?.();
  }
}

function textOfLoss({ sessions, events, firstMs, lastMs }: LostReports): string {
  const [first, last] = [firstMs, lastMs].map((timeMs) => new Date(timeMs).toISOString());
  return `There was no room for more: reports of ${sessions} sessions and ${events} events, from ${first} to ${last}, were dropped before the server could take them.`;
}
