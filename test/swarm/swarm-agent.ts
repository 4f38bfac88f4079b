/**
 * One machine of a swarm: polls its bundle, holds a wake request, does commands, ends sessions, reports them at least
 * once. It signs, verifies and waits as a real agent; it only does not back anything up, and keeps its state in memory.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { pollDelayMs, retryDelayMs, wakeOffMs } from "../../agent/control/link-pace.ts";
import { agentApi, answerHeaders, defaultPollSeconds } from "../../protocol/control/agent-api.ts";
import { bundleAnswer } from "../../protocol/control/bundle.ts";
import {
  type CommandDocument,
  type CommandProgress,
  commandList,
  wakeAnswer,
} from "../../protocol/control/command.ts";
import { type Report, reportReceipt } from "../../protocol/control/reports.ts";
import { type SwarmPolicy, sessionReport, statusOf } from "./swarm-documents.ts";
import type { SwarmIdentity } from "./swarm-identity.ts";
import { type LinkAnswer, problemCode, type SwarmLink } from "./swarm-link.ts";
import type { SwarmTrust } from "./swarm-trust.ts";

export interface SwarmAgentOptions {
  /** All waits of agents are so much shorter than in reality; 1: as in reality. */
  readonly haste: number;
  /** Mean time between two sessions of a machine, ms; 0: only those that are asked for. */
  readonly sessionEveryMs: number;
  /** Share (0 to 1) of the answers to reports that get lost on the way, so that they are sent again. */
  readonly lostAnswers: number;
  /** 0 to 1, from a seed. */
  readonly random: () => number;
  /** Once aborted, no session ends by itself any more. */
  readonly sessionsEnd: AbortSignal;
}

/** A command that this machine has done, and when it heard of it. */
export interface DoneCommand {
  readonly id: string;
  readonly heardMs: number;
}

const reportsAtOnce = 200;

export class SwarmAgent {
  readonly identity: SwarmIdentity;
  readonly agentId: string;
  /** In the order in which they were done; an id that stands here twice was done twice. */
  readonly done: DoneCommand[] = [];
  /** Ids of all reports ever made, sent or not. */
  readonly reported: string[] = [];
  /** Every serial that was accepted, oldest first. */
  readonly serials: number[] = [];
  /** When the newest bundle was accepted, ms since 1970, and the tags of its policies. */
  accepted: { readonly timeMs: number; readonly tags: readonly string[] } | undefined;
  readonly #link: SwarmLink;
  readonly #trust: SwarmTrust;
  readonly #options: SwarmAgentOptions;
  readonly #run = randomUUID();
  readonly #outbox: Report[] = [];
  readonly #known = new Set<string>();
  #policies: SwarmPolicy[] = [];
  #etag = "";
  #cursor = "";
  #pollSeconds = defaultPollSeconds;
  #outboxSending: Promise<void> | undefined;

  constructor(
    identity: SwarmIdentity,
    agentId: string,
    link: SwarmLink,
    trust: SwarmTrust,
    options: SwarmAgentOptions,
  ) {
    this.identity = identity;
    this.agentId = agentId;
    this.#link = link;
    this.#trust = trust;
    this.#options = options;
  }

  /** Works until `signal` is aborted; resolves then. */
  async run(signal: AbortSignal): Promise<void> {
    const loops = [this.#poll(signal), this.#wake(signal)];
    if (this.#options.sessionEveryMs > 0) loops.push(this.#endSessions(signal));
    await Promise.allSettled(loops);
    await this.#link.close();
  }

  get unsent(): number {
    return this.#outbox.length;
  }

  /** A session ends now; its report is sent as soon as that goes. */
  endSession(signal: AbortSignal): void {
    const policy = this.#policies[Math.floor(this.#options.random() * this.#policies.length)];
    if (policy === undefined) return;
    const isGood = this.#options.random() < 0.97;
    const report = sessionReport({ policies: this.#policies, ...this.#serialOf() }, policy, isGood);
    policy.lastOutcome = isGood ? "success" : "failure";
    if (isGood) policy.lastGoodMs = Date.now();
    this.reported.push(report.id);
    this.#outbox.push(report);
    this.#outboxSending ??= this.#sendOutbox(signal).finally(() => {
      this.#outboxSending = undefined;
    });
  }

  async #poll(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.#fetchBundle(signal);
        failures = 0;
        await this.#pause(pollDelayMs(this.#pollSeconds, this.#options.random), signal);
      } catch (error) {
        failures += 1;
        await this.#pauseAfterFailure(error, failures, signal);
      }
    }
  }

  async #wake(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        const path = `${agentApi.wake}?cursor=${encodeURIComponent(this.#cursor)}`;
        const answer = await this.#ask("wake", "GET", path, signal, { isHeld: true });
        failures = 0;
        if (answer.status === 200) this.#takeWake(answer, signal);
        if (answer.headers[answerHeaders.wake] === "off")
          await this.#pause(wakeOffMs(this.#options.random), signal);
      } catch (error) {
        failures += 1;
        await this.#pauseAfterFailure(error, failures, signal);
      }
    }
  }

  #takeWake(answer: LinkAnswer, signal: AbortSignal): void {
    const { cursor, bundle, commands, spreadSeconds } = wakeAnswer.parse(JSON.parse(answer.text));
    this.#cursor = cursor;
    if (commands > 0) void this.#quietly(() => this.#doCommands(signal), signal);
    if (bundle)
      void this.#quietly(async () => {
        await this.#pause(this.#options.random() * spreadSeconds * 1000, signal);
        await this.#fetchBundle(signal);
      }, signal);
  }

  async #fetchBundle(signal: AbortSignal): Promise<void> {
    const answer = await this.#ask("bundle", "GET", agentApi.bundle, signal, {
      headers: this.#etag === "" ? {} : { "if-none-match": this.#etag },
    });
    if (answer.status === 200) {
      const { bundle: jws } = bundleAnswer.parse(JSON.parse(answer.text));
      const bundle = this.#trust.accept(jws);
      this.serials.push(bundle.serial);
      this.#etag = String(answer.headers["etag"] ?? "");
      const known = new Map(this.#policies.map((each) => [each.name, each]));
      const policies = [...bundle.policies.values()];
      this.#policies = policies.map(({ policy: { name }, policyVersion: version }) => {
        return { ...known.get(name), name, version };
      });
      const tags = policies.flatMap(({ policy: { tags: each } }) => each);
      this.accepted = { timeMs: Date.now(), tags };
      await this.#sendStatus(signal);
    }
    if (Number(answer.headers[answerHeaders.commands] ?? 0) > 0) await this.#doCommands(signal);
  }

  async #doCommands(signal: AbortSignal): Promise<void> {
    const answer = await this.#ask("commands", "GET", agentApi.commands, signal);
    const heardMs = Date.now();
    for (const jws of commandList.parse(JSON.parse(answer.text)).commands) {
      const command = this.#trust.command(jws);
      if (this.#known.has(command.id)) continue;
      this.#known.add(command.id);
      await this.#do(command, heardMs, signal);
    }
  }

  async #do(command: CommandDocument, heardMs: number, signal: AbortSignal): Promise<void> {
    const isLate = Date.now() > command.expiresMs;
    if (!isLate) {
      this.done.push({ id: command.id, heardMs });
      if (command.order.kind === "run") this.endSession(signal);
    }
    const states = isLate ? (["expired"] as const) : (["accepted", "succeeded"] as const);
    for (const state of states) {
      const progress: CommandProgress = { state, timeMs: Date.now(), text: "" };
      await this.#until(
        "command state",
        "PUT",
        agentApi.commandState(command.id),
        progress,
        signal,
      );
    }
  }

  async #sendStatus(signal: AbortSignal): Promise<void> {
    const status = statusOf(this.identity, { policies: this.#policies, ...this.#serialOf() });
    await this.#ask("status", "PUT", agentApi.status, signal, { body: status });
  }

  async #endSessions(signal: AbortSignal): Promise<void> {
    const { sessionsEnd } = this.#options;
    while (!signal.aborted && !sessionsEnd.aborted) {
      const delayMs = -Math.log(1 - this.#options.random()) * this.#options.sessionEveryMs;
      await this.#pause(delayMs * this.#options.haste, signal);
      if (!sessionsEnd.aborted) this.endSession(signal);
    }
  }

  /** Sends what waits until nothing does. An answer that is lost on purpose leaves all of it to be sent again. */
  async #sendOutbox(signal: AbortSignal): Promise<void> {
    while (this.#outbox.length > 0 && !signal.aborted) {
      const reports = this.#outbox.slice(0, reportsAtOnce);
      const answer = await this.#until("reports", "POST", agentApi.reports, { reports }, signal);
      if (answer === undefined || this.#options.random() < this.#options.lostAnswers) continue;
      const { accepted, rejected } = reportReceipt.parse(JSON.parse(answer.text));
      const gone = new Set([...accepted, ...rejected.map(({ id }) => id)]);
      if (gone.size === 0) throw new Error("the server takes none of the reports");
      const left = this.#outbox.filter(({ id }) => !gone.has(id));
      this.#outbox.splice(0, this.#outbox.length, ...left);
      if (left.length === 0) await this.#quietly(() => this.#sendStatus(signal), signal);
    }
  }

  /** Repeats a request until it is answered well; undefined once `signal` is aborted, or if it can never be. */
  async #until(
    route: string,
    method: "POST" | "PUT",
    path: string,
    body: unknown,
    signal: AbortSignal,
  ): Promise<LinkAnswer | undefined> {
    for (let failures = 1; !signal.aborted; failures += 1)
      try {
        return await this.#ask(route, method, path, signal, { body });
      } catch (error) {
        if (error instanceof RefusedError && [400, 404, 409].includes(error.status))
          return undefined;
        await this.#pauseAfterFailure(error, failures, signal);
      }
    return undefined;
  }

  /** An answer of 200 to 399; everything else is a failure. */
  async #ask(
    route: string,
    method: "GET" | "POST" | "PUT",
    path: string,
    signal: AbortSignal,
    rest: {
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
      readonly isHeld?: boolean;
    } = {},
  ): Promise<LinkAnswer> {
    const sender = { run: this.#run, serial: this.serials.at(-1) ?? 0 };
    const request = { route, method, path, signal, ...rest, sender };
    const answer = await this.#link.request(request, this.agentId);
    const poll = Number(answer.headers[answerHeaders.poll]);
    if (poll > 0) this.#pollSeconds = poll;
    if (answer.status >= 400) throw new RefusedError(answer);
    return answer;
  }

  #serialOf(): { readonly serial?: number } {
    const serial = this.serials.at(-1);
    return serial === undefined ? {} : { serial };
  }

  async #quietly(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await work();
    } catch (error) {
      // Counted by the link; the next poll makes good for it.
      if (!(error instanceof RefusedError) && !signal.aborted && error instanceof TypeError)
        throw error;
    }
  }

  async #pauseAfterFailure(error: unknown, failures: number, signal: AbortSignal): Promise<void> {
    const askedMs = error instanceof RefusedError ? error.retryAfterMs : undefined;
    await this.#pause(retryDelayMs(failures, askedMs, this.#options.random), signal);
  }

  /** Waits `delayMs` of an agent's time. Ends early, without an error, when `signal` is aborted. */
  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    await sleep(delayMs / this.#options.haste, undefined, { signal }).catch(() => undefined);
  }
}

class RefusedError extends Error {
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(answer: LinkAnswer) {
    super(problemCode(answer) ?? `status ${answer.status}`);
    this.status = answer.status;
    const seconds = Number(answer.headers["retry-after"]);
    this.retryAfterMs = seconds > 0 ? seconds * 1000 : undefined;
  }
}
