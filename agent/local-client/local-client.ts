/** What a program on this machine can ask of the daemon: every request of the local API, typed. */
import type { LocalApiAddress } from "../../platform/local-api-address.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { DoctorReport } from "../../protocol/local-api/doctor-check.ts";
import type { LogMessage } from "../../protocol/local-api/log-line.ts";
import type {
  CheckRequest,
  EnrolAnswer,
  PauseRequest,
  ReloadAnswer,
  RestoreRequest,
  ResumeAnswer,
  RunAnswer,
  StopAnswer,
} from "../../protocol/local-api/orders.ts";
import type { PolicyDetail, PolicyList } from "../../protocol/local-api/policy-list.ts";
import type { SessionMessage } from "../../protocol/local-api/session-stream.ts";
import type { PauseStatus, StatusReport } from "../../protocol/local-api/status.ts";
import { localApiPrefix, localApiVersion } from "../../protocol/local-api/version.ts";
import type { SessionDetail, SessionRecord } from "../../protocol/session-record.ts";
import { parseObject, problemError, readLines, readWhole } from "./answer-body.ts";
import { type ExchangeAnswer, type ExchangeRequest, exchange } from "./local-exchange.ts";

const answerSilenceMs = 30_000;
const doctorSilenceMs = 120_000;
/** The daemon may have to wait for its server. */
const serverSilenceMs = 180_000;
/** Streams have heartbeats every ten seconds. */
const streamSilenceMs = 45_000;

/** Which sessions to list. */
export interface SessionFilter {
  readonly policy?: string;
  /** 1 to 1000. */
  readonly limit?: number;
  /** Only those asked for before the session of this id. */
  readonly before?: string;
}

/**
 * Every method rejects with DAEMON_UNREACHABLE if no daemon listens, DAEMON_DENIED if it refuses this user, DAEMON_BUSY,
 * DAEMON_LOST or DAEMON_ANSWER if it does not answer as it should, and with the signal's reason. Streams end without an
 * error only at their own end.
 */
export class LocalClient {
  readonly #path: string;

  constructor(address: Pick<LocalApiAddress, "path">) {
    this.#path = address.path;
  }

  async status(signal: AbortSignal): Promise<StatusReport> {
    return checkedStatus(await this.#get("/status", signal));
  }

  /** The status now and after each change, until the signal is aborted; again every ten seconds without one. */
  async *watch(signal: AbortSignal): AsyncGenerator<StatusReport, never> {
    for await (const line of this.#stream("/watch", signal)) yield checkedStatus(line);
    throw streamLost();
  }

  /** Newest first. */
  async sessions(filter: SessionFilter, signal: AbortSignal): Promise<readonly SessionRecord[]> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(filter)) query.set(name, String(value));
    const answer = await this.#get(`/sessions?${query.toString()}`, signal);
    return (answer as { sessions: readonly SessionRecord[] }).sessions;
  }

  /** SESSION_NOT_FOUND. */
  async session(id: string, signal: AbortSignal): Promise<SessionDetail> {
    return (await this.#get(`/sessions/${encodeURIComponent(id)}`, signal)) as SessionDetail;
  }

  /** Ends with the message `end`, and never without it. SESSION_NOT_FOUND. */
  async *follow(id: string, signal: AbortSignal): AsyncGenerator<SessionMessage, undefined> {
    const path = `/sessions/${encodeURIComponent(id)}/follow`;
    for await (const line of this.#stream(path, signal)) {
      const message = line as SessionMessage;
      yield message;
      if (message.type === "end") return undefined;
    }
    throw streamLost();
  }

  /** POLICY_UNKNOWN. */
  async run(policy: string, signal: AbortSignal): Promise<RunAnswer> {
    return (await this.#post("/run", { policy }, signal)) as RunAnswer;
  }

  /** POLICY_UNKNOWN, RESTORE_RESTRICTED. */
  async restore(request: RestoreRequest, signal: AbortSignal): Promise<RunAnswer> {
    return (await this.#post("/restore", request, signal)) as RunAnswer;
  }

  /** POLICY_UNKNOWN. */
  async check(request: CheckRequest, signal: AbortSignal): Promise<RunAnswer> {
    return (await this.#post("/check", request, signal)) as RunAnswer;
  }

  /** POLICY_UNKNOWN. */
  async stop(policy: string, signal: AbortSignal): Promise<StopAnswer> {
    return (await this.#post("/stop", { policy }, signal)) as StopAnswer;
  }

  /** POLICY_UNKNOWN. */
  async pause(request: PauseRequest, signal: AbortSignal): Promise<PauseStatus> {
    return (await this.#post("/pause", request, signal)) as PauseStatus;
  }

  /** All pauses if no policy is named. POLICY_UNKNOWN. */
  async resume(policy: string | undefined, signal: AbortSignal): Promise<ResumeAnswer> {
    const body = policy === undefined ? {} : { policy };
    return (await this.#post("/resume", body, signal)) as ResumeAnswer;
  }

  async policies(signal: AbortSignal): Promise<PolicyList> {
    return (await this.#get("/policies", signal)) as PolicyList;
  }

  /** POLICY_UNKNOWN. */
  async policy(name: string, signal: AbortSignal): Promise<PolicyDetail> {
    return (await this.#get(`/policies/${encodeURIComponent(name)}`, signal)) as PolicyDetail;
  }

  async reload(signal: AbortSignal): Promise<ReloadAnswer> {
    return (await this.#post("/reload", {}, signal)) as ReloadAnswer;
  }

  /** As `DaemonView.enroll`. */
  async enroll(token: string, signal: AbortSignal): Promise<EnrolAnswer> {
    return (await this.#post("/enroll", { token }, signal, serverSilenceMs)) as EnrolAnswer;
  }

  /** As `DaemonView.sync`. */
  async sync(signal: AbortSignal): Promise<void> {
    await this.#post("/sync", {}, signal, serverSilenceMs);
  }

  /** As `DaemonView.leave`. */
  async leave(signal: AbortSignal): Promise<void> {
    await this.#post("/leave", {}, signal, serverSilenceMs);
  }

  /** The last `lines` lines (0 to 10,000) and then `end`; with `follow` what comes after them instead, without end. */
  async *log(
    lines: number,
    follow: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<LogMessage, undefined> {
    const path = `/log?lines=${lines}${follow ? "&follow=1" : ""}`;
    for await (const line of this.#stream(path, signal)) {
      const message = line as LogMessage;
      yield message;
      if (message.type === "end") return undefined;
    }
    throw streamLost();
  }

  async doctor(signal: AbortSignal): Promise<DoctorReport> {
    return (await this.#get("/doctor", signal, doctorSilenceMs)) as DoctorReport;
  }

  /** In Prometheus' text format. */
  async metrics(signal: AbortSignal): Promise<string> {
    return await readWhole(await this.#send({ method: "GET", path: "/metrics" }, signal));
  }

  async #get(path: string, signal: AbortSignal, silenceMs = answerSilenceMs): Promise<object> {
    return parseObject(
      await readWhole(await this.#send({ method: "GET", path, silenceMs }, signal)),
    );
  }

  async #post(
    path: string,
    body: object,
    signal: AbortSignal,
    silenceMs = answerSilenceMs,
  ): Promise<object> {
    const request = { method: "POST", path, body, silenceMs } as const;
    return parseObject(await readWhole(await this.#send(request, signal)));
  }

  async *#stream(path: string, signal: AbortSignal): AsyncGenerator<object, undefined> {
    const request = { method: "GET", path, silenceMs: streamSilenceMs } as const;
    yield* readLines(await this.#send(request, signal));
    return undefined;
  }

  /** Rejects with what a problem says. */
  async #send(
    request: Omit<ExchangeRequest, "silenceMs"> & { readonly silenceMs?: number },
    signal: AbortSignal,
  ): Promise<ExchangeAnswer> {
    const path = `${localApiPrefix}${request.path}`;
    const full = { silenceMs: answerSilenceMs, ...request, path };
    const answer = await exchange(this.#path, full, signal);
    if (answer.status === 200) return answer;
    throw problemError(await readWhole(answer));
  }
}

function checkedStatus(value: object): StatusReport {
  const report = value as StatusReport;
  if (report.api === localApiVersion) return report;
  throw new BackstayError("DAEMON_ANSWER", {
    problem: `its status is of version ${String(report.api)}, this command knows ${localApiVersion}`,
  });
}

function streamLost(): BackstayError {
  return new BackstayError("DAEMON_LOST", { problem: "the daemon ended the stream" });
}
