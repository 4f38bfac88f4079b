/** Fetches the server's commands, has them done, and tells the server what becomes of them. */
import { setMaxListeners } from "node:events";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { agentApi } from "../../protocol/control/agent-api.ts";
import { refusalOf } from "../../protocol/control/agent-problem.ts";
import {
  type CommandDocument,
  type CommandProgress,
  commandList,
} from "../../protocol/control/command.ts";
import type { CommandExecutor } from "./command-executor.ts";
import type { CommandJournal, CommandWord } from "./command-journal.ts";
import type { ServerCalls } from "./server-calls.ts";

export interface CommandRunnerParts {
  readonly journal: CommandJournal;
  readonly executor: CommandExecutor;
  readonly link: ServerCalls;
  /** The content of a command that is signed for this machine; throws a BackstayError for any other. */
  readonly verify: (jws: string) => CommandDocument;
  /** Fetches the newest bundle, for it may bring the key that a command is signed with. */
  readonly renewTrust: (signal: AbortSignal) => Promise<void>;
  /** Server's time, ms since 1970. */
  readonly nowMs: () => number;
  /** Told of commands that are not signed as they must be. */
  readonly onRefused: (error: unknown) => void;
}

/** Begun at once; others wait. What stops something never waits. */
const atOnceMax = 16;
/** The server hears of what goes on at least so often, or it gives it up. */
const tellAgainMs = 30 * 60_000;

export class CommandRunner {
  readonly #parts: CommandRunnerParts;
  readonly #ending = new AbortController();
  readonly #running = new Map<
    string,
    { readonly end: AbortController; readonly done: Promise<void> }
  >();
  /** In the order in which they came. */
  readonly #waiting: CommandDocument[] = [];

  constructor(parts: CommandRunnerParts) {
    this.#parts = parts;
    setMaxListeners(0, this.#ending.signal);
  }

  /** Goes on with what was known at the last end of the daemon. To be called once, before `fetch`. */
  recover(): void {
    for (const { document, progress } of this.#parts.journal.unfinished())
      if (progress.state === "accepted") this.#start(document);
      else this.#work(document, async (signal) => await this.#resume(document, progress, signal));
  }

  /** Asks the server for commands and takes them. Rejects as the link does. */
  async fetch(signal: AbortSignal): Promise<void> {
    const { link, journal, renewTrust } = this.#parts;
    const answer = await link.call({ method: "GET", path: agentApi.commands, signal });
    const list = commandList.safeParse(answer.body).data;
    if (list === undefined)
      throw new BackstayError("LINK_FAILED", { problem: "what came is no list of commands" });
    let isTrustNew = false;
    for (const jws of list.commands) {
      let command = this.#verified(jws);
      if (command instanceof Error && !isTrustNew) {
        isTrustNew = true;
        await renewTrust(signal);
        command = this.#verified(jws);
      }
      if (command instanceof Error) await this.#refuse(jws, command, signal);
      else if (journal.take(command, list.taken.includes(command.id))) this.#start(command);
    }
  }

  /** Tells the server what it does not know yet. Rejects as the link does; the rest is then told the next time. */
  async tell(signal: AbortSignal): Promise<void> {
    for (const command of this.#parts.journal.untold()) {
      await this.#put(command.document.id, command.progress, signal);
      this.#parts.journal.told(command);
    }
  }

  /** Says again of what takes long that it goes on. To be called at each poll. */
  refresh(): void {
    const { journal, nowMs } = this.#parts;
    for (const { document, progress, isTold } of journal.unfinished())
      if (isTold && Math.abs(nowMs() - progress.timeMs) > tellAgainMs)
        journal.note(document.id, { state: progress.state, text: progress.text });
  }

  /** What the server was told then or later, it is told again. */
  recall(sinceMs: number): void {
    this.#parts.journal.recall(sinceMs);
  }

  /** Ends what works for commands; the journal has them as they are, for `recover` after the next start. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await Promise.all([...this.#running.values()].map(async ({ done }) => await done));
  }

  #verified(jws: string): CommandDocument | Error {
    try {
      return this.#parts.verify(jws);
    } catch (error) {
      if (isBackstayError(error)) return error;
      throw error;
    }
  }

  /** Answers a command that is not signed as it must be, so that it does not come for ever. */
  async #refuse(jws: string, error: Error, signal: AbortSignal): Promise<void> {
    this.#parts.onRefused(error);
    const id = unverifiedId(jws);
    if (id === undefined || this.#isKnown(id)) return;
    const progress: CommandProgress = {
      state: "rejected",
      timeMs: this.#parts.nowMs(),
      text: error.message.slice(0, 2000),
      ...(isBackstayError(error) && { errorCode: error.code }),
    };
    await this.#put(id, progress, signal);
  }

  #isKnown(id: string): boolean {
    return this.#parts.journal.unfinished().some(({ document }) => document.id === id);
  }

  async #put(id: string, body: CommandProgress, signal: AbortSignal): Promise<void> {
    const path = agentApi.commandState(encodeURIComponent(id));
    try {
      await this.#parts.link.call({ method: "PUT", path, body, signal });
    } catch (error) {
      // The server has no such command any more, or never takes that: it has nothing to wait for.
      const refusal = refusalOf(error);
      if (refusal !== "not-found" && refusal !== "body-invalid") throw error;
    }
  }

  #start(command: CommandDocument): void {
    const { order } = command;
    if (order.kind === "stop" && order.command !== undefined) {
      const target = order.command;
      this.#work(command, async () => this.#stopOne(command, target));
    } else if (order.kind === "stop" || this.#running.size < atOnceMax) {
      this.#work(command, async (signal) => await this.#execute(command, signal));
    } else this.#waiting.push(command);
  }

  #stopOne(command: CommandDocument, target: string): CommandWord | undefined {
    if (!this.#parts.journal.begin(command.id)) return undefined;
    const running = this.#running.get(target);
    const at = this.#waiting.findIndex(({ id }) => id === target);
    if (at >= 0) this.#waiting.splice(at, 1);
    if (running === undefined && at < 0)
      return { state: "succeeded", text: "Nothing was going on for that command." };
    const text = "A command of the server stopped it.";
    if (at >= 0) this.#parts.journal.note(target, { state: "canceled", text });
    running?.end.abort(new BackstayError("COMMAND_STOPPED", { command: target }));
    return { state: "succeeded", text: "The command was asked to end." };
  }

  async #execute(command: CommandDocument, signal: AbortSignal): Promise<CommandWord | undefined> {
    const { journal, executor } = this.#parts;
    if (!journal.begin(command.id)) return undefined;
    return await executor.execute(
      command,
      (news) => journal.note(command.id, { state: "running", ...news }),
      signal,
    );
  }

  async #resume(
    command: CommandDocument,
    progress: CommandProgress,
    signal: AbortSignal,
  ): Promise<CommandWord> {
    const result = await this.#parts.executor.resume(command, progress.sessionId, signal);
    if (result !== undefined) return result;
    const error = new BackstayError("COMMAND_INTERRUPTED", { command: command.id });
    return { state: "failed", text: error.message, errorCode: error.code };
  }

  /** Does the work of a command and notes how it ended; unless the daemon ended it, then it goes on after the next start. */
  #work(
    command: CommandDocument,
    work: (signal: AbortSignal) => Promise<CommandWord | undefined>,
  ): void {
    const end = new AbortController();
    const signal = AbortSignal.any([end.signal, this.#ending.signal]);
    const finish = async (): Promise<void> => {
      let word: CommandWord | undefined;
      try {
        word = await work(signal);
      } catch (error) {
        word = end.signal.aborted
          ? { state: "canceled", text: "A command of the server stopped it." }
          : wordOfFailure(error);
      }
      this.#running.delete(command.id);
      if (this.#ending.signal.aborted && word?.state !== "succeeded") return;
      if (word !== undefined) this.#parts.journal.note(command.id, word);
      const next = this.#ending.signal.aborted ? undefined : this.#waiting.shift();
      if (next !== undefined) this.#start(next);
    };
    // Work begins after this call: whoever starts several has all of them in the map first.
    this.#running.set(command.id, { end, done: Promise.resolve().then(finish) });
  }
}

function wordOfFailure(error: unknown): CommandWord {
  const text = error instanceof Error ? error.message : String(error);
  return { state: "failed", text, ...(isBackstayError(error) && { errorCode: error.code }) };
}

/** The id that a document claims to have; not to be believed, only to be answered. */
function unverifiedId(jws: string): string | undefined {
  try {
    const [, payload = ""] = jws.split(".", 2);
    const { id } = JSON.parse(Buffer.from(payload, "base64url").toString()) as { id?: unknown };
    return typeof id === "string" && id !== "" && id.length <= 100 ? id : undefined;
  } catch {
    return undefined;
  }
}
