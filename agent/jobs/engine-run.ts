/** One engine from its order to its end, watched: it must say something, get on, stay small, and end in time. */
import type { ChildProcess } from "node:child_process";
import type { Clock } from "../../platform/ports/clock.ts";
import type { ProcessLimits } from "../../platform/ports/process-limits.ts";
import { endProcessGroup } from "../../platform/process-group.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { ObeyedStand } from "../../protocol/control/repository-stand.ts";
import type {
  AccountAnswer,
  EngineMessage,
  RunIssue,
  RunOrder,
  RunProgress,
  RunReport,
} from "../../protocol/run-order.ts";
import type { EngineProcess } from "../../protocol/session-record.ts";
import { EngineMessages } from "./engine-messages.ts";
import type { EngineSpawner } from "./engine-spawner.ts";
import { TextTail } from "./text-tail.ts";

/** When an engine is ended against its will. */
export interface EngineWatch {
  /** Between two looks at it, ms. */
  readonly tickMs: number;
  /** Without any message: it hangs. */
  readonly silenceMs: number;
  /** Without any progress, though it says that it lives. */
  readonly stallMs: number;
  /** From the request to end to its end. */
  readonly graceMs: number;
}

/** What fits every machine; looking costs next to nothing, and only while an engine runs. */
export const usualWatch: EngineWatch = {
  tickMs: 1000,
  silenceMs: 5 * 60_000,
  stallMs: 2 * 3_600_000,
  graceMs: 2 * 60_000,
};

export interface EngineRunOptions {
  readonly clock: Clock;
  readonly limits: ProcessLimits;
  readonly watch: EngineWatch;
  readonly memoryLimitBytes?: number;
  readonly durationLimitMs: number;
  readonly progress: (progress: RunProgress) => void;
  readonly issue: (issue: RunIssue) => void;
  /** The route of the order by which it reached the repository. */
  readonly route: (route: number) => void;
  /** What its repository's administrator has decided. */
  readonly stand: (stand: ObeyedStand) => void;
  readonly keys: (told: KeyMessage) => void;
  /** Answers an engine that needs an account for a route. Never rejects. */
  readonly account: (route: number, isRefused: boolean) => Promise<AccountAnswer>;
}

/** What an engine did to the keys of its repository. */
export type KeyMessage = Extract<EngineMessage, { type: "recovery" | "password-changed" }>;

/** How an engine ended: with a report, or with what became of it. */
export interface EngineEnd {
  readonly report?: RunReport;
  /** Set if it was ended by its watch, or left no report. */
  readonly failure?: BackstayError;
  /** The end of its standard error. */
  readonly lastWords: string;
}

const lastWordsBytesMax = 4096;
/** Its streams are read to their end for so long after it has gone. */
const streamsWaitMs = 5000;

export class EngineRun {
  readonly ended: Promise<EngineEnd>;
  readonly #child: ChildProcess;
  readonly #options: EngineRunOptions;
  readonly #messages = new EngineMessages();
  readonly #lastWords = new TextTail(lastWordsBytesMax);
  readonly #over = new AbortController();
  #report: RunReport | undefined;
  #failure: BackstayError | undefined;
  #isEnding = false;
  #silentTicks = 0;
  #stalledTicks = 0;
  #lastProgress = "";

  private constructor(child: ChildProcess, options: EngineRunOptions) {
    this.#child = child;
    this.#options = options;
    child.stderr?.on("data", (data: Buffer) => this.#lastWords.add(data));
    child.stdout?.on("data", (data: Buffer) => this.#read(data));
    // It may be gone before it has read its order; its end tells more.
    child.stdin?.on("error", () => undefined);
    this.ended = this.#end();
  }

  /** Starts an engine, which waits for its order. Rejects with ENGINE_UNSTARTABLE. */
  static async start(spawn: EngineSpawner, options: EngineRunOptions): Promise<EngineRun> {
    try {
      const child = spawn();
      await new Promise<void>((resolve, reject) => {
        child.once("spawn", resolve);
        child.once("error", reject);
      });
      return new EngineRun(child, options);
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      throw new BackstayError("ENGINE_UNSTARTABLE", { problem: problem.slice(0, 200) }, error);
    }
  }

  /** By which it is known to another process. */
  get process(): EngineProcess {
    const processId = this.#child.pid ?? 0;
    return { processId, start: this.#options.limits.startOf(processId) ?? "" };
  }

  /** Gives it its order and begins to watch it. */
  begin(order: RunOrder): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
    void this.#watchIt();
  }

  /** Asks it to end in order, and kills it when it takes too long. */
  askToEnd(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    // Both say the same: not every system has a signal that can be answered.
    this.#child.stdin?.end();
    this.#signal("end");
    void this.#killLater();
  }

  kill(): void {
    this.#isEnding = true;
    this.#signal("kill");
  }

  #signal(how: "end" | "kill"): void {
    const { pid, exitCode, signalCode } = this.#child;
    // Once it is collected its id may be another's.
    if (pid !== undefined && exitCode === null && signalCode === null) endProcessGroup(pid, how);
  }

  async #killLater(): Promise<void> {
    try {
      await this.#options.clock.sleep(this.#options.watch.graceMs, this.#over.signal);
      this.#signal("kill");
    } catch {
      // It has ended.
    }
  }

  /** Ends it for a reason that is then its failure, whatever it still says. */
  #endBecause(failure: BackstayError, how: "ask" | "kill"): void {
    this.#failure ??= failure;
    if (how === "ask") this.askToEnd();
    else this.kill();
  }

  #read(data: Buffer): void {
    this.#silentTicks = 0;
    try {
      for (const message of this.#messages.read(data)) this.#receive(message);
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      this.#endBecause(new BackstayError("ENGINE_DIED", { problem }), "kill");
    }
  }

  #receive(message: EngineMessage): void {
    switch (message.type) {
      case "alive":
        return;
      case "issue":
        this.#options.issue(message.issue);
        return;
      case "report":
        this.#report = message.report;
        return;
      case "route":
        this.#options.route(message.route);
        return;
      case "stand":
        this.#options.stand(message.stand);
        return;
      case "account":
        void this.#giveAccount(message.route, message.isRefused);
        return;
      case "recovery":
      case "password-changed":
        this.#options.keys(message);
        return;
      case "progress": {
        const { elapsedMs: _, ...rest } = message.progress;
        const text = JSON.stringify(rest);
        if (text !== this.#lastProgress) this.#stalledTicks = 0;
        this.#lastProgress = text;
        this.#options.progress(message.progress);
      }
    }
  }

  async #giveAccount(route: number, isRefused: boolean): Promise<void> {
    const answer = await this.#options.account(route, isRefused);
    if (this.#child.stdin?.writable === true)
      this.#child.stdin.write(`${JSON.stringify(answer)}\n`);
  }

  /**
   * Counts looks and not time: after a sleep of the machine, or of this process, the engine must not be blamed for
   * what nobody could do meanwhile.
   */
  async #watchIt(): Promise<void> {
    const { clock, watch, durationLimitMs, memoryLimitBytes, limits } = this.#options;
    const startMs = clock.monotonic();
    const minutes = (ms: number): number => Math.round(ms / 60_000);
    try {
      for (;;) {
        await clock.sleep(watch.tickMs, this.#over.signal);
        this.#silentTicks += 1;
        this.#stalledTicks += 1;
        if (this.#silentTicks * watch.tickMs > watch.silenceMs) {
          const silent = { minutes: minutes(watch.silenceMs) };
          this.#endBecause(new BackstayError("ENGINE_HUNG", silent), "kill");
        }
        if (this.#stalledTicks * watch.tickMs > watch.stallMs) {
          const stalled = { minutes: minutes(watch.stallMs) };
          this.#endBecause(new BackstayError("ENGINE_STALLED", stalled), "ask");
        }
        if (clock.monotonic() - startMs > durationLimitMs) {
          const hours = Math.round(durationLimitMs / 360_000) / 10;
          this.#endBecause(new BackstayError("SESSION_TOO_LONG", { hours }), "ask");
        }
        const taken = limits.residentBytes(this.#child.pid ?? 0) ?? 0;
        if (memoryLimitBytes !== undefined && taken > memoryLimitBytes) {
          const facts = { takenMiB: mebibytes(taken), limitMiB: mebibytes(memoryLimitBytes) };
          this.#endBecause(new BackstayError("ENGINE_MEMORY", facts), "kill");
        }
      }
    } catch (error) {
      if (!this.#over.signal.aborted) throw error;
    }
  }

  async #end(): Promise<EngineEnd> {
    const child = this.#child;
    const closed = new Promise((resolve) => child.once("close", resolve));
    await new Promise((resolve) => child.once("exit", resolve));
    this.#over.abort();
    const over = new AbortController();
    await Promise.race([closed, this.#options.clock.sleep(streamsWaitMs, over.signal)]);
    over.abort();
    child.stdin?.destroy();
    child.stdout?.destroy();
    child.stderr?.destroy();
    const lastWords = this.#lastWords.text();
    const report = this.#report;
    // A good end in spite of all is a good end.
    if (report?.outcome === "success" || report?.outcome === "warning")
      return { report, lastWords };
    const failure = this.#failure ?? (report === undefined ? this.#died() : undefined);
    return {
      ...(report === undefined ? {} : { report }),
      ...(failure === undefined ? {} : { failure }),
      lastWords,
    };
  }

  #died(): BackstayError {
    const { exitCode, signalCode } = this.#child;
    return new BackstayError("ENGINE_DIED", {
      ...(signalCode === null ? {} : { signal: signalCode }),
      ...(exitCode === null ? {} : { exitCode }),
    });
  }
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}
