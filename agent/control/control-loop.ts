/**
 * The agent's conversation with its server: the regular poll, and between polls whatever has become known on either
 * side. One thing after the other, beside one held wake request. After a failure everything waits for the next attempt.
 */
import { setMaxListeners } from "node:events";
import type { Clock } from "../../platform/ports/clock.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { agentApi, answerHeaders, defaultPollSeconds } from "../../protocol/control/agent-api.ts";
import { refusalOf } from "../../protocol/control/agent-problem.ts";
import { bundleAnswer } from "../../protocol/control/bundle.ts";
import type { CommandRunner } from "./command-runner.ts";
import { type Chance, firstPollDelayMs, pollDelayMs, retryDelayMs } from "./link-pace.ts";
import { parseMemoryGaps } from "./memory-gaps.ts";
import type { ReportOutbox } from "./report-outbox.ts";
import { retryAfterMs } from "./retry-after.ts";
import type { ServerCalls } from "./server-calls.ts";
import type { StatusSender } from "./status-sender.ts";
import { WakeLoop } from "./wake-loop.ts";

export interface BundleKeeper {
  /** Of the bundle in force, without quotes; undefined before the first. */
  readonly hash: string | undefined;
  /**
   * Takes a newer bundle into force, or keeps the one that is and raises a condition: it never throws for what a
   * bundle says.
   */
  accept(jws: string): void | Promise<void>;
}

export interface ControlLoopParts {
  readonly link: ServerCalls;
  readonly bundles: BundleKeeper;
  readonly commands: Pick<
    CommandRunner,
    "recover" | "fetch" | "tell" | "refresh" | "recall" | "stop"
  >;
  readonly reports: Pick<ReportOutbox, "send" | "unheeded" | "recall">;
  readonly status: Pick<StatusSender, "send" | "isBusy" | "recall">;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Enrolled just now: the first poll does not wait. */
  readonly isNewlyEnrolled: boolean;
  /** Told after each poll, good or bad, and of failures between polls. May not throw. */
  readonly onContact?: (contact: ServerContact) => void;
}

/** How it stands with the server. */
export interface ServerContact {
  /** Wall clock, ms; undefined if there was no good poll since the start. */
  readonly lastGoodMs: number | undefined;
  /** In a row; 0: the last one went well. */
  readonly failures: number;
  /** Why the last one failed. */
  readonly problem: unknown;
}

type Want = "commands" | "words" | "reports" | "status";

const statusEveryMs = 5000;
const progressEveryMs = 10_000;

export class ControlLoop {
  readonly #parts: ControlLoopParts;
  readonly #wake: WakeLoop;
  readonly #ending = new AbortController();
  /** Ends a rest: there is something to do. */
  #nudge = new AbortController();
  #work: Promise<unknown> | undefined;
  /** By the monotonic clock. */
  #pollDueMs: number;
  #statusDueMs = 0;
  readonly #wanted: Record<Want, boolean> = {
    // The server may know of some that this machine has forgotten.
    commands: true,
    words: false,
    reports: false,
    status: false,
  };
  #contact: ServerContact = { lastGoodMs: undefined, failures: 0, problem: undefined };
  #syncing: PromiseWithResolvers<void>[] = [];
  #connecting: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(parts: ControlLoopParts) {
    this.#parts = parts;
    const { link, clock, chance, isNewlyEnrolled } = parts;
    this.#pollDueMs = clock.monotonic() + firstPollDelayMs(isNewlyEnrolled, chance);
    this.#wake = new WakeLoop({
      link,
      clock,
      chance,
      untilConnected: async (signal) => await this.#untilConnected(signal),
      onNews: ({ bundle, commands }) => {
        if (commands > 0) this.#want("commands");
        if (bundle) this.hurry(0);
      },
      onMemory: (gaps) => this.#heed(gaps),
      onHeld: () => this.#nudge.abort(),
    });
  }

  start(): void {
    if (this.#work !== undefined) return;
    const { signal } = this.#ending;
    setMaxListeners(0, signal);
    this.#parts.commands.recover();
    this.#work = Promise.all([this.#run(signal), this.#wake.run(signal)]);
  }

  /** Ends what is under way; nothing is lost by that. */
  async stop(): Promise<void> {
    this.#ending.abort();
    for (const waiter of this.#syncing.splice(0)) waiter.reject(this.#ending.signal.reason);
    await this.#parts.commands.stop();
    await this.#work;
  }

  get contact(): ServerContact {
    return this.#contact;
  }

  /** Polls at once, and settles as that poll does. */
  async syncNow(): Promise<void> {
    this.#ending.signal.throwIfAborted();
    const waiter = Promise.withResolvers<void>();
    this.#syncing.push(waiter);
    this.hurry(0);
    await waiter.promise;
  }

  /** Polls within that time, at random: the machine woke up, the network is another one. */
  hurry(withinMs: number): void {
    const atMs = this.#parts.clock.monotonic() + withinMs * this.#parts.chance();
    this.#pollDueMs = Math.min(this.#pollDueMs, atMs);
    this.#nudge.abort();
  }

  /** The status may have changed: it is looked at, a few seconds after the last time at the earliest. */
  statusChanged(): void {
    this.#want("status");
  }

  /** A report was added (ReportOutboxParts.onAdded). */
  reportAdded(): void {
    this.#want("reports");
  }

  /** There is a new word on a command (CommandJournalParts.onWord). */
  commandChanged(): void {
    this.#want("words");
  }

  /** Fetches the newest bundle now (CommandRunnerParts.renewTrust). Rejects as the link does. */
  async fetchBundle(signal: AbortSignal): Promise<{ pollSeconds: number; commands: number }> {
    const { link, bundles } = this.#parts;
    const { hash } = bundles;
    const answer = await link.call({
      method: "GET",
      path: agentApi.bundle,
      ...(hash !== undefined && { headers: { "if-none-match": `"${hash}"` } }),
      signal,
    });
    if (answer.status === 200) {
      const body = bundleAnswer.safeParse(answer.body).data;
      if (body === undefined)
        throw new BackstayError("LINK_FAILED", { problem: "what came is no bundle" });
      await bundles.accept(body.bundle);
    } else if (answer.status !== 304 || hash === undefined)
      throw new BackstayError("LINK_FAILED", { problem: `an answer ${answer.status} to a poll` });
    return {
      pollSeconds: Number(answer.header(answerHeaders.poll) ?? defaultPollSeconds),
      commands: Number(answer.header(answerHeaders.commands) ?? 0),
    };
  }

  #want(what: Want): void {
    this.#wanted[what] = true;
    this.#nudge.abort();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#rest(signal);
      if (!signal.aborted) await this.#round(signal);
    }
  }

  /** Polls if it is time, and does what is wanted. */
  async #round(signal: AbortSignal): Promise<void> {
    const { clock, chance, onContact } = this.#parts;
    const isPoll = clock.monotonic() >= this.#pollDueMs;
    const waiters = isPoll ? this.#syncing.splice(0) : [];
    // Who wants a poll from now on wants another one than this.
    if (isPoll) this.#pollDueMs = Number.POSITIVE_INFINITY;
    try {
      if (isPoll) await this.#poll(signal);
      await this.#exchange(signal);
      if (isPoll) this.#setContact({ lastGoodMs: clock.now(), failures: 0, problem: undefined });
      for (const waiter of waiters) waiter.resolve();
    } catch (problem) {
      for (const waiter of [...waiters, ...this.#syncing.splice(0)]) waiter.reject(problem);
      if (signal.aborted) return;
      const failures = this.#contact.failures + 1;
      this.#setContact({ ...this.#contact, failures, problem });
      const delayMs = retryDelayMs(failures, retryAfterMs(problem), chance);
      this.#pollDueMs = clock.monotonic() + delayMs;
    }
    if (isPoll || !this.#isConnected) onContact?.(this.#contact);
  }

  /** Waits until there is something to do. */
  async #rest(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    for (;;) {
      this.#nudge = new AbortController();
      const waitMs = this.#nextMs() - clock.monotonic();
      if (waitMs <= 0 || signal.aborted) return;
      try {
        await clock.sleep(waitMs, AbortSignal.any([signal, this.#nudge.signal]));
      } catch {
        // Something has changed.
      }
    }
  }

  #nextMs(): number {
    const wanted = this.#wanted;
    const { status } = this.#parts;
    if (!this.#isConnected) return this.#pollDueMs;
    if (wanted.commands || wanted.words || wanted.reports) return 0;
    const progressMs =
      status.isBusy && this.#wake.isHeld
        ? progressEveryMs - statusEveryMs
        : Number.POSITIVE_INFINITY;
    return Math.min(this.#pollDueMs, this.#statusDueMs + (wanted.status ? 0 : progressMs));
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const { clock, chance, commands } = this.#parts;
    const { pollSeconds, commands: waiting } = await this.fetchBundle(signal);
    const asked = Number.isFinite(pollSeconds) ? pollSeconds : defaultPollSeconds;
    this.#pollDueMs = Math.min(this.#pollDueMs, clock.monotonic() + pollDelayMs(asked, chance));
    Object.assign(this.#wanted, { words: true, reports: true, status: true });
    if (waiting > 0) this.#wanted.commands = true;
    this.#statusDueMs = 0;
    commands.refresh();
  }

  /** Does what is wanted. What fails is wanted still. */
  async #exchange(signal: AbortSignal): Promise<void> {
    const { commands, reports, status, clock } = this.#parts;
    await this.#done("commands", async () => await commands.fetch(signal));
    await this.#done("words", async () => await commands.tell(signal));
    await this.#done("reports", async () => await reports.send(signal));
    if (clock.monotonic() < this.#statusDueMs) return;
    const isWatched = this.#wake.isHeld && status.isBusy;
    if (isWatched) this.#wanted.status = true;
    if (this.#wanted.status) this.#statusDueMs = clock.monotonic() + statusEveryMs;
    await this.#done("status", async () => this.#heed(await status.send(isWatched, signal)));
  }

  /** The server's database may have been set back: what it has forgotten it is told again, once. */
  #heed(gaps: string | undefined): void {
    const { reports, commands, status } = this.#parts;
    const gap = reports.unheeded(parseMemoryGaps(gaps));
    if (gap === undefined) return;
    commands.recall(gap.reachesMs);
    status.recall();
    // Last, for it notes that this was done.
    reports.recall(gap);
    for (const what of ["commands", "words", "reports", "status"] as const) this.#want(what);
  }

  async #done(what: Want, work: () => Promise<void>): Promise<void> {
    if (!this.#wanted[what]) return;
    this.#wanted[what] = false;
    try {
      await work();
    } catch (error) {
      // Our own mistake, or an older server's: to say it again would not help.
      if (refusalOf(error) === "body-invalid") return;
      this.#wanted[what] = true;
      throw error;
    }
  }

  get #isConnected(): boolean {
    return this.#contact.failures === 0 && this.#contact.lastGoodMs !== undefined;
  }

  #setContact(contact: ServerContact): void {
    const wasConnected = this.#isConnected;
    this.#contact = contact;
    if (this.#isConnected && !wasConnected) this.#connecting.resolve();
    if (!this.#isConnected && wasConnected) this.#connecting = Promise.withResolvers();
  }

  async #untilConnected(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await Promise.race([this.#connecting.promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}
