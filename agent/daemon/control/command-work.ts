/** Does what the server's commands ask for, through the jobs and within the guard rails of this machine. */
import { rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { type BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import type { CommandDocument, CommandOrder } from "../../../protocol/control/command.ts";
import type { RunCause, SessionTask } from "../../../protocol/session-record.ts";
import type {
  CommandExecutor,
  CommandNews,
  CommandResult,
} from "../../control/command-executor.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import type { SessionOrders } from "../session-orders.ts";
import { resultOf } from "./server-words.ts";

export interface CommandWorkParts {
  readonly jobs: Jobs;
  readonly orders: SessionOrders;
  /** Folder of the metadata caches; undefined if there is none. */
  readonly cacheRoot: string | undefined;
  /** Fetches the newest bundle now; rejects as the link does. */
  readonly sync: () => Promise<void>;
  /** Sends what helps those who are to help, under the id of the command; resolves with its size in bytes. */
  readonly sendLogs: (commandId: string, signal: AbortSignal) => Promise<number>;
  /** Leaves the fleet as soon as the server knows that the command was done. */
  readonly leave: () => void;
}

type Tell = (news: CommandNews) => void;

const byServer: RunCause = { kind: "manual", text: "asked for by the server" };

export class CommandWork implements CommandExecutor {
  readonly #parts: CommandWorkParts;

  constructor(parts: CommandWorkParts) {
    this.#parts = parts;
  }

  async execute(
    { id, order }: CommandDocument,
    tell: Tell,
    signal: AbortSignal,
  ): Promise<CommandResult> {
    try {
      return await this.#do(id, order, tell, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isBackstayError(error) || !refusals.has(error.code)) throw error;
      return { state: "rejected", text: error.message, errorCode: error.code };
    }
  }

  async resume(
    { order }: CommandDocument,
    sessionId: string | undefined,
    signal: AbortSignal,
  ): Promise<CommandResult | undefined> {
    if (order.kind === "leave") {
      this.#parts.leave();
      return { state: "succeeded", text: "The machine leaves the fleet." };
    }
    if (sessionId === undefined || this.#parts.jobs.session(sessionId) === undefined)
      return undefined;
    return await this.#ended(sessionId, signal);
  }

  async #do(
    id: string,
    order: CommandOrder,
    tell: Tell,
    signal: AbortSignal,
  ): Promise<CommandResult> {
    const { orders, sync, sendLogs, leave } = this.#parts;
    switch (order.kind) {
      case "run":
        return await this.#session(order.policy, causeOf(order.cause), undefined, tell, signal);
      case "restore":
      case "check":
        return await this.#session(order.policy, byServer, taskOf(order), tell, signal);
      case "stop": {
        const ended = orders.stop(order.policy, "stopped by the server");
        return { state: "succeeded", text: `Sessions that were asked to end: ${ended.length}.` };
      }
      case "sync":
        await sync();
        return { state: "succeeded", text: "The newest policies were fetched." };
      case "collect-logs": {
        const sizeBytes = await sendLogs(id, signal);
        return { state: "succeeded", text: `${sizeBytes} bytes were sent.` };
      }
      case "clear-cache":
        return await this.#clearCache();
      case "leave":
        leave();
        return { state: "succeeded", text: "The machine leaves the fleet." };
    }
  }

  async #session(
    policy: string,
    cause: RunCause,
    task: SessionTask | undefined,
    tell: Tell,
    signal: AbortSignal,
  ): Promise<CommandResult> {
    const { session } = this.#parts.orders.request(policy, cause, task);
    tell({ sessionId: session.id });
    return await this.#ended(session.id, signal);
  }

  /** Waits for the end of a session; ends it if its command is stopped, and not if the daemon ends. */
  async #ended(sessionId: string, signal: AbortSignal): Promise<CommandResult> {
    const { jobs } = this.#parts;
    try {
      return resultOf(await jobs.finished(sessionId, signal));
    } catch (error) {
      if (isBackstayError(signal.reason, "COMMAND_STOPPED"))
        jobs.cancel(sessionId, { by: "user", text: "stopped by the server" });
      throw error;
    }
  }

  async #clearCache(): Promise<CommandResult> {
    const { jobs, cacheRoot } = this.#parts;
    if (jobs.running().length > 0)
      return { state: "rejected", text: "A session works with the cache now." };
    const names = cacheRoot === undefined ? [] : await readdir(cacheRoot).catch(() => []);
    for (const name of names)
      rmSync(path.join(cacheRoot ?? "", name), { recursive: true, force: true });
    return { state: "succeeded", text: "The metadata cache was cleared." };
  }
}

/** This machine does not do such a thing, or not this. */
const refusals: ReadonlySet<string> = new Set([
  "POLICY_UNKNOWN",
  "POLICY_RESTRICTED",
  "POLICY_SCOPE",
  "RESTORE_RESTRICTED",
  "QUEUE_FULL",
] satisfies BackstayError["code"][]);

function causeOf(cause: "manual" | "schedule"): RunCause {
  return cause === "manual" ? byServer : { kind: "schedule", text: "the server's schedule" };
}

function taskOf(order: Extract<CommandOrder, { kind: "restore" | "check" }>): SessionTask {
  const from = order.from === undefined ? {} : { from: order.from };
  if (order.kind === "check") return { kind: "check", data: order.data, ...from };
  const { snapshot, paths, target, overwrite } = order;
  return {
    kind: "restore",
    snapshot,
    paths,
    target,
    overwrite,
    verify: true,
    ...from,
    origin: "server",
  };
}
