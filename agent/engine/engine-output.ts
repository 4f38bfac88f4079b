/** The engine's standard output: messages of one line each, none of which ever keeps the work waiting. */
import type { Writable } from "node:stream";
import type { ObeyedStand } from "../../protocol/control/repository-stand.ts";
import { redactor } from "../../protocol/redaction.ts";
import type { EngineMessage, RunIssue, RunProgress, RunReport } from "../../protocol/run-order.ts";

const progressMs = 250;
const aliveMs = 10_000;
const issuesMax = 1000;
/** With so much unread, the reader is not interested in more progress. */
const unreadBytesMax = 256 * 1024;

export class EngineOutput {
  readonly #output: Writable;
  #redact: (text: string) => string;
  readonly #timers: readonly NodeJS.Timeout[];
  #progress: RunProgress | undefined;
  #issues = 0;
  #isBroken = false;

  /** `broken` is called once if the reader went away; from then on nothing is written. */
  constructor(output: Writable, redact: (text: string) => string, broken: () => void) {
    this.#output = output;
    this.#redact = redact;
    output.on("error", () => {
      if (this.#isBroken) return;
      this.#isBroken = true;
      broken();
    });
    this.#timers = [
      setInterval(() => this.#sendProgress(), progressMs),
      setInterval(() => this.#send({ type: "alive" }), aliveMs),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  /** All issues so far, told or not. */
  get issues(): number {
    return this.#issues;
  }

  progress(progress: RunProgress): void {
    this.#progress = progress;
  }

  issue(issue: RunIssue): void {
    this.#issues += 1;
    if (this.#issues <= issuesMax) this.#send({ type: "issue", issue }, true);
  }

  /** The route of the order by which the repository was reached. */
  route(route: number): void {
    this.#send({ type: "route", route }, true);
  }

  /** What the repository's administrator has decided, and this session obeys. */
  stand(stand: ObeyedStand): void {
    this.#send({ type: "stand", stand }, true);
  }

  /** Asks for an account for a route of the order. */
  account(route: number, isRefused: boolean): void {
    this.#send({ type: "account", route, isRefused }, true);
  }

  /** From now on none of these is in a message. */
  hide(secrets: readonly string[]): void {
    const before = this.#redact;
    const more = redactor(secrets);
    this.#redact = (text) => more(before(text));
  }

  /** A text as it may be told. */
  redacted(text: string): string {
    return this.#redact(text);
  }

  /** The one message that tells a secret; whoever reads it keeps it from everybody else. */
  recovery(keyName: string, password: string): void {
    const message: EngineMessage = { type: "recovery", keyName, password };
    if (!this.#isBroken) this.#output.write(`${JSON.stringify(message)}\n`);
  }

  passwordChanged(keyName: string, oldKeyProblem: string | undefined): void {
    const problem = oldKeyProblem === undefined ? {} : { oldKeyProblem };
    this.#send({ type: "password-changed", keyName, ...problem }, true);
  }

  /** Sends what is left and the report; resolves when it is written, or nobody reads it. */
  async finish(report: RunReport): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#sendProgress();
    this.#send({ type: "report", report }, true);
    if (this.#isBroken) return;
    await new Promise<void>((resolve) => {
      this.#output.once("close", resolve);
      this.#output.end(resolve);
    });
  }

  #sendProgress(): void {
    const progress = this.#progress;
    this.#progress = undefined;
    if (progress !== undefined) this.#send({ type: "progress", progress });
  }

  /** What is not `important` is left out while the reader lags behind. */
  #send(message: EngineMessage, important = false): void {
    if (this.#isBroken || (!important && this.#output.writableLength > unreadBytesMax)) return;
    this.#output.write(`${this.#redact(JSON.stringify(message))}\n`);
  }
}
