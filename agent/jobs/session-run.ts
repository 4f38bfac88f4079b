/** One session from the queue to its end: script, engine, script. */
import type { Clock } from "../../platform/ports/clock.ts";
import type { ProcessLimits } from "../../platform/ports/process-limits.ts";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { RateEstimate } from "../../protocol/rate-estimate.ts";
import { redactor } from "../../protocol/redaction.ts";
import {
  type AccountAnswer,
  type RouteAccount,
  type RouteOrder,
  type RunIssue,
  type RunProgress,
  runOrderVersion,
  secretsOf,
} from "../../protocol/run-order.ts";
import type {
  EndRequest,
  RunningSession,
  ScriptResult,
  SessionRecord,
} from "../../protocol/session-record.ts";
import { type Environment, scriptEnvironment } from "./child-environment.ts";
import { type EngineEnd, EngineRun, type EngineWatch, type KeyMessage } from "./engine-run.ts";
import type { EngineSpawner } from "./engine-spawner.ts";
import type { JobScript, JobScripts, PreparedRun } from "./jobs.ts";
import { removeReport, reportFile } from "./report-file.ts";
import { runScript } from "./script-run.ts";
import { type Conclusion, concluded, failed, withScript } from "./session-conclusion.ts";
import type { SessionJournal } from "./session-journal.ts";

/** What sessions need of the world. */
export interface SessionSurroundings {
  readonly clock: Clock;
  readonly limits: ProcessLimits;
  readonly watch: EngineWatch;
  readonly spawnEngine: EngineSpawner;
  /** Of the daemon; scripts get what is harmless of it. */
  readonly environment: Environment;
  /** Where engines leave their reports. */
  readonly reportFolder: string;
  /** Rejects with what the session then fails with. */
  readonly prepare: (session: SessionRecord, signal: AbortSignal) => Promise<PreparedRun>;
  readonly scripts: (policy: string) => JobScripts;
  readonly journal: SessionJournal;
  readonly progress: (sessionId: string, progress: RunProgress) => void;
  readonly issue: (sessionId: string, issue: RunIssue) => void;
  /** Told what an engine did to the keys of a session's repository; a recovery password is told here only. */
  readonly keys: (session: SessionRecord, told: KeyMessage) => void;
  /** An account for an issued route; `refused` is one of before that the storage refuses. Rejects with STORE_…. */
  readonly account: (route: RouteOrder, refused: RouteAccount | undefined) => Promise<RouteAccount>;
}

const issuesAtOnce = 100;
const issuesFlushMs = 2000;
/** As many as the state keeps. */
const issuesMax = 1000;

export class SessionRun {
  readonly id: string;
  readonly #world: SessionSurroundings;
  readonly #policy: string;
  readonly #ending = new AbortController();
  readonly #killing = new AbortController();
  readonly #rate = new RateEstimate();
  /** Given to the engine last, by route. */
  readonly #accounts = new Map<number, RouteAccount>();
  #redact: (text: string) => string = (text) => text;
  #engine: EngineRun | undefined;
  #isBegun = false;
  #endRequest: EndRequest | undefined;
  #progress: RunProgress | undefined;
  #scripts: JobScripts | undefined;
  #issues = 0;
  #unsaved: RunIssue[] = [];
  #savedMs = 0;

  constructor(session: SessionRecord, world: SessionSurroundings) {
    this.id = session.id;
    this.#policy = session.policy;
    this.#world = world;
  }

  /** True while it does what it was asked for: it was begun here, and nobody has asked it to end. */
  get isWorking(): boolean {
    return this.#isBegun && this.#endRequest === undefined;
  }

  /** Runs it; resolves when it has finished. Rejects for mistakes of ours only. */
  async run(): Promise<void> {
    const { journal, clock, limits } = this.#world;
    this.#isBegun = true;
    journal.move(this.id, "preparing", { startedMs: clock.now(), boot: limits.boot().id });
    const done = await this.#work();
    this.saveIssues();
    journal.move(this.id, "ending", done);
    await this.#finish(done);
  }

  /** Ends a session whose engine another process has started, and which is gone; `done` is what is known of it. */
  async finishFor(done: Conclusion): Promise<void> {
    const { state } = this.#session();
    if (state === "preparing" || state === "running")
      this.#world.journal.move(this.id, "ending", done);
    await this.#finish(done);
  }

  /** Asks it to end in order. */
  end(request: EndRequest): void {
    this.#endRequest ??= request;
    this.#ending.abort();
    this.#engine?.askToEnd();
  }

  /** Ends it at once, whatever it does. */
  kill(request: EndRequest): void {
    this.end(request);
    this.#killing.abort();
    this.#engine?.kill();
  }

  /** Undefined once it has finished. */
  get running(): RunningSession | undefined {
    const session = this.#world.journal.find(this.id);
    if (session === undefined) return undefined;
    const bytesTotal = this.#progress?.bytesTotal;
    const remainingMs = bytesTotal === undefined ? undefined : this.#rate.remainingMs(bytesTotal);
    return {
      session,
      ...(this.#progress === undefined ? {} : { progress: this.#progress }),
      ...(remainingMs === undefined ? {} : { remainingMs }),
      ...(this.#endRequest === undefined ? {} : { endRequest: this.#endRequest }),
    };
  }

  /** Puts what was told so far into the state. */
  saveIssues(): void {
    this.#world.journal.addIssues(this.id, this.#unsaved);
    this.#unsaved = [];
    this.#savedMs = this.#world.clock.monotonic();
  }

  #session(): SessionRecord {
    const session = this.#world.journal.find(this.id);
    if (session === undefined)
      throw new BackstayError("INTERNAL", { problem: "a session runs that has finished" });
    return session;
  }

  /** Everything up to the end of the engine. */
  async #work(): Promise<Conclusion> {
    try {
      const { preJob } = this.#scriptsOfRun();
      if (preJob !== undefined) {
        const result = await this.#script("preJob", preJob, {}, this.#ending.signal);
        if (result.outcome !== "done" && result.outcome !== "canceled" && preJob.required)
          return failed(scriptFailure(result), this.#issues);
      }
      const prepared = await this.#prepare();
      if (this.#endRequest !== undefined) return this.#concluded({ lastWords: "" });
      return this.#concluded(await this.#runEngine(prepared));
    } catch (error) {
      if (this.#endRequest !== undefined && !isBackstayError(error))
        return this.#concluded({ lastWords: "" });
      return failed(error, this.#issues);
    }
  }

  /** As they were when it began: a policy may change meanwhile. Of backups only. */
  #scriptsOfRun(): JobScripts {
    this.#scripts ??= this.#session().kind === "backup" ? this.#world.scripts(this.#policy) : {};
    return this.#scripts;
  }

  #concluded(end: EngineEnd): Conclusion {
    const lastWords = this.#redact(end.lastWords);
    const done = concluded({ ...end, lastWords }, this.#endRequest, this.#issues);
    return withScript(done, this.#session().scripts[0], this.#scriptsOfRun().preJob);
  }

  async #prepare(): Promise<PreparedRun> {
    const { signal } = this.#ending;
    signal.throwIfAborted();
    const prepared = await this.#world.prepare(this.#session(), signal);
    this.#redact = redactor(secretsOf(prepared.order.repository));
    return prepared;
  }

  async #runEngine(prepared: PreparedRun): Promise<EngineEnd> {
    const { clock, limits, watch, journal, spawnEngine } = this.#world;
    const { memoryLimitBytes, durationLimitMs } = prepared;
    const engine = await EngineRun.start(spawnEngine, {
      clock,
      limits,
      watch,
      durationLimitMs,
      ...(memoryLimitBytes === undefined ? {} : { memoryLimitBytes }),
      progress: (progress) => this.#receiveProgress(progress),
      issue: (issue) => this.#receiveIssue(issue),
      route: (index) => this.#reached(prepared, index),
      stand: (stand) => journal.update(this.id, { stand }),
      keys: (told) => this.#world.keys(this.#session(), told),
      account: async (index, isRefused) => await this.#account(prepared, index, isRefused),
    });
    this.#engine = engine;
    // Before it has its order it does nothing: no engine works that the journal does not know.
    const { destinationEpoch } = prepared;
    journal.move(this.id, "running", {
      engine: engine.process,
      ...(destinationEpoch !== undefined && { destinationEpoch }),
    });
    if (this.#endRequest === undefined)
      engine.begin({
        ...prepared.order,
        version: runOrderVersion,
        sessionId: this.id,
        reportFile: reportFile(this.#world.reportFolder, this.id),
      });
    else engine.kill();
    return await engine.ended;
  }

  /** The engine is at its repository, by the route of that index. */
  #reached({ order }: PreparedRun, index: number): void {
    const { journal } = this.#world;
    const found = order.repository.routes[index];
    if (found === undefined) return;
    const { kind: route, url: location } = found;
    const before = journal.locationBefore(this.#policy);
    journal.update(this.id, {
      route,
      location,
      ...(before !== undefined && before !== location && { locationBefore: before }),
      ...(index > 0 && { isDetour: true as const }),
    });
  }

  async #account(
    { order }: PreparedRun,
    index: number,
    isRefused: boolean,
  ): Promise<AccountAnswer> {
    const route = order.repository.routes[index];
    const told = (answer: AccountAnswer["answer"]): AccountAnswer => ({
      type: "account",
      route: index,
      answer,
    });
    if (route?.issuedFor === undefined)
      return told({ kind: "permanent", problem: "there is no account to ask for" });
    try {
      const refused = isRefused ? this.#accounts.get(index) : undefined;
      const account = await this.#world.account(route, refused);
      this.#accounts.set(index, account);
      return told(account);
    } catch (error) {
      const isTemporary = isBackstayError(error) && error.kind === "temporary";
      const problem = isBackstayError(error)
        ? String(error.context["problem"] ?? error.message)
        : "it could not be asked for";
      return told({ kind: isTemporary ? "temporary" : "permanent", problem });
    }
  }

  async #finish(done: Conclusion): Promise<void> {
    const { journal, clock, reportFolder } = this.#world;
    let conclusion = done;
    const { postJob } = this.#scriptsOfRun();
    if (postJob !== undefined) {
      const variables = { BACKSTAY_OUTCOME: done.outcome };
      const before = this.#issues;
      const result = await this.#script("postJob", postJob, variables, this.#killing.signal);
      const issues = done.issues + this.#issues - before;
      conclusion = withScript({ ...done, issues }, result, postJob);
    }
    this.saveIssues();
    journal.move(this.id, "finished", { ...conclusion, finishedMs: clock.now() });
    removeReport(reportFolder, this.id);
  }

  async #script(
    name: ScriptResult["name"],
    script: JobScript,
    variables: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ScriptResult> {
    const { environment, clock, journal } = this.#world;
    const result = await runScript(name, script, {
      environment: scriptEnvironment(environment, {
        BACKSTAY_POLICY: this.#policy,
        BACKSTAY_SESSION: this.id,
        ...variables,
      }),
      clock,
      signal: AbortSignal.any([signal, this.#killing.signal]),
      redact: this.#redact,
    });
    journal.update(this.id, { scripts: [...this.#session().scripts, result] });
    if (result.outcome !== "done" && result.outcome !== "canceled" && !script.required) {
      const { code, message } = scriptFailure(result);
      this.#receiveIssue({ path: "", code, message });
    }
    return result;
  }

  #receiveProgress(progress: RunProgress): void {
    this.#progress = progress;
    this.#rate.add(progress.elapsedMs, progress.bytesDone);
    this.#world.progress(this.id, progress);
    this.#saveIssuesIfDue();
  }

  #receiveIssue(issue: RunIssue): void {
    this.#issues += 1;
    if (this.#issues > issuesMax) return;
    this.#unsaved.push(issue);
    this.#world.issue(this.id, issue);
    this.#saveIssuesIfDue();
  }

  #saveIssuesIfDue(): void {
    const sinceMs = this.#world.clock.monotonic() - this.#savedMs;
    if (
      this.#unsaved.length >= issuesAtOnce ||
      (this.#unsaved.length > 0 && sinceMs > issuesFlushMs)
    )
      this.saveIssues();
  }
}

function scriptFailure({ name, outcome, exitCode }: ScriptResult): BackstayError {
  return new BackstayError("SCRIPT_FAILED", {
    script: name,
    ...(exitCode === undefined ? { problem: outcome } : { exitCode }),
  });
}
