/** What of a report the server understands. Pure. */
import { z } from "zod";
import { type Report, report } from "../../protocol/control/reports.ts";
import type { EndedBackup } from "./protection.ts";

/** A report of 100 issues is some 50 KB. */
const bytesMax = 512 * 1024;
const idMax = 100;
/** The last moment that there is, ms since 1970. */
const momentMax = 8.64e15;

/** What every version of an agent says of a session. */
const session = z.object({
  policy: z.string().min(1).max(200),
  kind: z.string().max(20).default("backup"),
  outcome: z.string().min(1).max(20),
  startedMs: z.number().min(-momentMax).max(momentMax).optional(),
  finishedMs: z.number().min(-momentMax).max(momentMax).optional(),
  figures: z
    .looseObject({
      totalBytesProcessed: z
        .number()
        .min(0)
        .max(2 ** 53),
    })
    .optional(),
});

export interface UnderstoodReport {
  readonly report: Report;
  /** Empty for what is about none. */
  readonly policy: string;
  /** Of a session; severity of an event. */
  readonly outcome: string;
  /** Undefined for what is no backup. */
  readonly backup: Omit<EndedBackup, "policy" | "outcome"> | undefined;
}

/** The report, or why it can never be taken. `receivedMs`: nothing has happened later. */
export function understand(
  given: unknown,
  receivedMs: number,
): UnderstoodReport | { readonly reason: string } {
  const parsed = report.safeParse(given);
  if (!parsed.success) return { reason: firstIssue(parsed.error) };
  if (JSON.stringify(given).length > bytesMax) return { reason: "it is too large" };
  if (Math.abs(parsed.data.timeMs) > momentMax) return { reason: "its time is none" };
  if (parsed.data.kind === "event") {
    const { severity, subject } = parsed.data;
    return { report: parsed.data, policy: subject, outcome: severity, backup: undefined };
  }
  const told = session.safeParse(parsed.data.session);
  if (!told.success) return { reason: `session: ${firstIssue(told.error)}` };
  const { policy, kind, outcome, startedMs, finishedMs, figures } = told.data;
  const endedMs = Math.min(parsed.data.timeMs, receivedMs);
  // The machine's clock may be wrong by years: only the distance counts.
  const tookMs = Math.max(0, (finishedMs ?? 0) - (startedMs ?? finishedMs ?? 0));
  const backup = {
    isGood: figures !== undefined,
    startedMs: Math.round(endedMs - tookMs),
    endedMs: Math.round(endedMs),
    bytesSelected: figures === undefined ? null : Math.round(figures.totalBytesProcessed),
  };
  return { report: parsed.data, policy, outcome, backup: kind === "backup" ? backup : undefined };
}

/** The id of what may be no report at all, so that it can be refused by name. */
export function idOf(given: unknown): string | undefined {
  if (typeof given !== "object" || given === null) return undefined;
  const { id } = given as { id?: unknown };
  return typeof id === "string" && id.length > 0 && id.length <= idMax ? id : undefined;
}

function firstIssue({ issues }: z.ZodError): string {
  const [issue] = issues;
  return `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not as it must be"}`.slice(0, 300);
}
