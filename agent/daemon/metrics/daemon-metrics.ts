/** What the daemon tells Prometheus: about each policy, about its sessions since the start, about itself. */
import { isOverdue, overallHealth } from "../../../protocol/local-api/overall-health.ts";
import type { PolicyStatus, StatusFacts } from "../../../protocol/local-api/status.ts";
import type { SessionRecord } from "../../../protocol/session-record.ts";
import { type Metric, metricsText, type Sample } from "./metrics-text.ts";

interface SessionTotals {
  runs: number;
  bytesRead: number;
  bytesStored: number;
  seconds: number;
}

const levelValues = { ok: 0, warning: 1, error: 2 } as const;

/** Counts sessions from the start of the daemon on. */
export class SessionCounters {
  readonly #totals = new Map<string, SessionTotals & { policy: string; outcome: string }>();

  /** To be told once of each session that has ended. */
  ended({ policy, outcome, figures, startedMs, finishedMs }: SessionRecord): void {
    if (outcome === undefined) return;
    const key = `${outcome} ${policy}`;
    const known = this.#totals.get(key);
    const totals = known ?? { policy, outcome, runs: 0, bytesRead: 0, bytesStored: 0, seconds: 0 };
    this.#totals.set(key, totals);
    totals.runs += 1;
    totals.bytesRead += figures?.bytesRead ?? 0;
    totals.bytesStored += figures?.bytesStored ?? 0;
    if (startedMs !== undefined && finishedMs !== undefined)
      totals.seconds += Math.max(0, finishedMs - startedMs) / 1000;
  }

  samples(value: (totals: SessionTotals) => number): Sample[] {
    return [...this.#totals.values()].map(({ policy, outcome, ...totals }) => ({
      labels: { policy, outcome },
      value: value(totals),
    }));
  }
}

export interface ProcessFigures {
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  readonly messagesWaiting: number;
  readonly messagesDropped: number;
}

/** The text of a scrape. */
export function daemonMetrics(
  facts: StatusFacts,
  counters: SessionCounters,
  figures: ProcessFigures,
): string {
  return metricsText([
    ...policyMetrics(facts),
    ...sessionMetrics(counters),
    ...agentMetrics(facts, figures),
  ]);
}

function policyMetrics({ policies, timeMs }: StatusFacts): Metric[] {
  const each = (value: (policy: PolicyStatus) => number | undefined): Sample[] =>
    policies.flatMap((policy) => {
      const found = value(policy);
      return found === undefined ? [] : [{ labels: { policy: policy.name }, value: found }];
    });
  const gauge = (
    name: string,
    help: string,
    value: (policy: PolicyStatus) => number | undefined,
  ): Metric => ({ name, kind: "gauge", help, samples: each(value) });
  const seconds = (ms: number | undefined): number | undefined =>
    ms === undefined ? undefined : ms / 1000;
  return [
    gauge(
      "backup_last_success_timestamp_seconds",
      "Start of the last good backup of a policy.",
      ({ lastGood }) => seconds(lastGood && (lastGood.startedMs ?? lastGood.queuedMs)),
    ),
    gauge(
      "backup_last_attempt_timestamp_seconds",
      "End of the last session of a policy, good or not.",
      ({ lastEnded }) => seconds(lastEnded?.finishedMs),
    ),
    gauge(
      "backup_next_run_timestamp_seconds",
      "When a policy runs next; absent if no time can be named.",
      ({ next }) => seconds(next.atMs),
    ),
    gauge("backup_objective_seconds", "How old the last good backup may be.", ({ maximumAgeMs }) =>
      seconds(maximumAgeMs),
    ),
    gauge("backup_overdue", "1 if the last good backup is older than it may be.", (policy) =>
      isOverdue(policy, timeMs) ? 1 : 0,
    ),
    gauge(
      "backup_failures_since_success",
      "Sessions that failed since the last good one.",
      ({ failuresSinceGood }) => failuresSinceGood,
    ),
    gauge(
      "backup_destination_up",
      "1 if the last session reached the repository, 0 if it did not.",
      ({ destination }) =>
        destination.reachable === undefined ? undefined : Number(destination.reachable),
    ),
  ];
}

function sessionMetrics(counters: SessionCounters): Metric[] {
  const counter = (
    name: string,
    help: string,
    value: (totals: SessionTotals) => number,
  ): Metric => ({ name, kind: "counter", help, samples: counters.samples(value) });
  return [
    counter("backup_runs_total", "Sessions that ended.", ({ runs }) => runs),
    counter("backup_run_seconds_total", "Time that sessions took.", ({ seconds }) => seconds),
    counter("backup_bytes_read_total", "Bytes read from sources.", ({ bytesRead }) => bytesRead),
    counter(
      "backup_bytes_stored_total",
      "Bytes stored in repositories.",
      ({ bytesStored }) => bytesStored,
    ),
  ];
}

function agentMetrics(facts: StatusFacts, figures: ProcessFigures): Metric[] {
  const one = (
    name: string,
    kind: Metric["kind"],
    help: string,
    value: number,
    labels: Sample["labels"] = {},
  ): Metric => ({ name, kind, help, samples: [{ labels, value }] });
  const { level, reasons } = overallHealth(facts);
  return [
    one("backstay_info", "gauge", "The program that runs.", 1, { version: facts.agent.version }),
    one("backstay_start_timestamp_seconds", "gauge", "Start of it.", facts.agent.startMs / 1000),
    one("backstay_health", "gauge", "0 ok, 1 warning, 2 error.", levelValues[level]),
    {
      name: "backstay_condition",
      kind: "gauge",
      help: "1 for each thing that somebody should know.",
      samples: reasons.map(({ code, subject, severity }) => ({
        labels: { code, subject, severity },
        value: 1,
      })),
    },
    one("backstay_sessions_running", "gauge", "Sessions that run now.", facts.running.length),
    one("backstay_sessions_waiting", "gauge", "Sessions that wait.", facts.waiting.length),
    one("backstay_messages_waiting", "gauge", "Messages to send.", figures.messagesWaiting),
    one(
      "backstay_messages_dropped_total",
      "counter",
      "Messages that could not be sent.",
      figures.messagesDropped,
    ),
    one(
      "process_resident_memory_bytes",
      "gauge",
      "Memory of the daemon itself.",
      figures.residentBytes,
    ),
    one("process_cpu_seconds_total", "counter", "Work of the daemon itself.", figures.cpuSeconds),
  ];
}
