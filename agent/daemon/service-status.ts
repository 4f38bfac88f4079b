/** What the service manager is told: that the daemon is ready, what it does, and that it lives. */
import type { ServiceControl } from "../../platform/ports/service-control.ts";
import { overallHealth } from "../../protocol/local-api/overall-health.ts";
import type { StatusFacts } from "../../protocol/local-api/status.ts";
import { durationInWords } from "../../protocol/schedule/schedule-words.ts";

export class ServiceStatus {
  readonly #service: ServiceControl;
  readonly #status: () => StatusFacts;
  /** True if everything that must move on its own has moved since the last sign of life. */
  readonly #isAlive: () => boolean;
  #timer: NodeJS.Timeout | undefined;

  constructor(service: ServiceControl, status: () => StatusFacts, isAlive: () => boolean) {
    this.#service = service;
    this.#status = status;
    this.#isAlive = isAlive;
  }

  /** The start is over. From now on there are signs of life, if anybody waits for them. */
  ready(): void {
    this.#service.ready(statusLine(this.#status()));
    const { watchdogMs } = this.#service;
    if (watchdogMs === undefined || this.#timer !== undefined) return;
    this.#timer = setInterval(() => {
      if (this.#isAlive()) this.#service.alive();
    }, watchdogMs / 2);
  }

  refresh(): void {
    if (this.#service.kind !== "none") this.#service.status(statusLine(this.#status()));
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** `running documents 43 %; 3 policies, oldest good backup 5 h ago` */
export function statusLine(facts: StatusFacts): string {
  const { policies, running, waiting, timeMs } = facts;
  const parts = running.map(({ session, progress }) => {
    const { bytesDone = 0, bytesTotal = 0 } = progress ?? {};
    const percent = bytesTotal > 0 ? ` ${Math.floor((100 * bytesDone) / bytesTotal)} %` : "";
    return `running ${session.policy}${percent}`;
  });
  if (waiting.length > 0) parts.push(`${waiting.length} waiting`);
  const good = policies.flatMap(({ lastGood }) =>
    lastGood === undefined ? [] : [lastGood.startedMs ?? lastGood.queuedMs],
  );
  const oldest =
    good.length === 0
      ? "no good backup yet"
      : `oldest good backup ${durationInWords(Math.max(0, timeMs - Math.min(...good)))} ago`;
  parts.push(policies.length === 0 ? "no policies" : `${policies.length} policies, ${oldest}`);
  const { level } = overallHealth(facts);
  return level === "ok" ? parts.join("; ") : `${level}: ${parts.join("; ")}`;
}
