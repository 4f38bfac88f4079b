/** What people are told about: a session that began or ended, a condition that came or went; in words. */
import type { HealthReason } from "../../../protocol/local-api/health.ts";
import { durationInWords } from "../../../protocol/schedule/schedule-words.ts";
import type { SessionRecord } from "../../../protocol/session-record.ts";

export type NoticeLevel = "success" | "warning" | "failure";

/** As it waits in the outbox. Holds no secrets. */
export interface Notice {
  /** Empty for the agent itself. */
  readonly policy: string;
  readonly event: "start" | "end" | "condition";
  readonly level: NoticeLevel;
  /** The same for what would be no news: `failure STORE_FULL`. */
  readonly key: string;
  /** One line. */
  readonly title: string;
  readonly text: string;
  readonly timeMs: number;
  readonly session?: string;
}

export function startNotice({ policy, cause, id, startedMs, queuedMs }: SessionRecord): Notice {
  return {
    policy,
    event: "start",
    level: "success",
    key: "start",
    title: `Backup of ${policy} has begun`,
    text: `Why: ${cause.text}.`,
    timeMs: startedMs ?? queuedMs,
    session: id,
  };
}

/** Undefined for a session that somebody or a rule ended: nothing went wrong, and nothing is done. */
export function endNotice(session: SessionRecord): Notice | undefined {
  const level = levelOf(session);
  if (level === undefined) return undefined;
  const { policy, id, failure, startedMs, finishedMs, queuedMs } = session;
  const ends = { success: "is done", warning: "is done, with warnings", failure: "failed" };
  return {
    policy,
    event: "end",
    level,
    key: [level, failure?.code ?? ""].join(" ").trim(),
    title: `Backup of ${policy} ${ends[level]}`,
    text: sessionText(session),
    timeMs: finishedMs ?? startedMs ?? queuedMs,
    session: id,
  };
}

/** A condition that people are shown, or one that is over. */
export function conditionNotice(reason: HealthReason, policy: string, isOver: boolean): Notice {
  const level = isOver ? "success" : reason.severity === "error" ? "failure" : "warning";
  return {
    policy,
    event: "condition",
    level,
    key: `${reason.code} ${reason.subject}`,
    title: isOver ? `No more so: ${reason.code}` : `${reason.severity}: ${reason.code}`,
    text: isOver ? reason.text : `${reason.text}\n${reason.remedy}`,
    timeMs: reason.sinceMs,
  };
}

function levelOf({ outcome }: SessionRecord): NoticeLevel | undefined {
  if (outcome === "interrupted") return "failure";
  return outcome === "canceled" ? undefined : outcome;
}

function sessionText(session: SessionRecord): string {
  const { cause, failure, figures, issues, startedMs, finishedMs, attempt, scripts } = session;
  const lines = [`Why it ran: ${cause.text}.`];
  if (attempt > 1) lines.push(`It was attempt ${attempt}.`);
  if (startedMs !== undefined && finishedMs !== undefined)
    lines.push(`It took ${durationInWords(Math.max(0, finishedMs - startedMs))}.`);
  if (session.outcome === "interrupted") lines.push("The daemon or the machine went away.");
  if (failure !== undefined) lines.push(failure.message, `What to do: ${failure.remedy}`);
  if (figures !== undefined)
    lines.push(
      `Files: ${figures.filesNew} new, ${figures.filesChanged} changed, ${figures.filesUnmodified} unchanged.`,
      `Bytes: ${figures.totalBytesProcessed} looked at, ${figures.bytesStored} stored.`,
    );
  if (figures?.snapshotId !== undefined)
    lines.push(`Restore point: ${figures.snapshotId.slice(0, 8)}.`);
  if (issues > 0) lines.push(`Warnings: ${issues}; \`backstay session ${session.id}\` lists them.`);
  for (const { name, outcome } of scripts)
    if (outcome !== "done") lines.push(`The script ${name}: ${outcome}.`);
  return lines.join("\n");
}
