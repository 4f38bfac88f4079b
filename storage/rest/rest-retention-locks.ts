/** Locks against removal behind our own gateway, where it says that it keeps them. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import {
  lockedUntilHeader,
  lockHeader,
  lockQuestion,
  lockUntilText,
} from "../../protocol/gateway-locks.ts";
import { assertHandle } from "../handle-name.ts";
import type { HttpAnswer } from "../http/http-transport.ts";
import { type Handle, handlePath, type RetentionLocks } from "../object-store.ts";
import type { RetentionMode } from "../retention-lock.ts";

/** A request that a store makes for its locks; the answer may be any. */
export type LockExchange = <T>(
  method: "HEAD" | "PATCH",
  handle: Handle,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
  use: (answer: HttpAnswer) => Promise<T>,
) => Promise<T>;

export class RestRetentionLocks implements RetentionLocks {
  readonly #exchange: LockExchange;
  readonly #mode: RetentionMode;
  readonly #requireKept: (handle: Handle, signal: AbortSignal) => Promise<void>;

  /** `requireKept` rejects where nothing is locked, before anything is asked for. */
  constructor(
    exchange: LockExchange,
    mode: RetentionMode,
    requireKept: (handle: Handle, signal: AbortSignal) => Promise<void>,
  ) {
    this.#exchange = exchange;
    this.#mode = mode;
    this.#requireKept = requireKept;
  }

  async lockedUntil(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    assertHandle(handle);
    await this.#requireKept(handle, signal);
    const headers = { [lockHeader]: lockQuestion };
    return await this.#exchange("HEAD", handle, headers, signal, async (answer) => {
      await requireDone(handle, answer);
      const untilMs = answer.header(lockedUntilHeader);
      if (untilMs === undefined) return undefined;
      if (/^\d{1,15}$/.test(untilMs)) return Number(untilMs);
      throw new BackstayError("STORE_UNAVAILABLE", {
        file: handlePath(handle),
        problem: "it does not say until when the object is locked",
      });
    });
  }

  async extend(handle: Handle, untilMs: number, signal: AbortSignal): Promise<void> {
    assertHandle(handle);
    await this.#requireKept(handle, signal);
    const headers = { [lockHeader]: lockUntilText({ mode: this.#mode, untilMs }) };
    await this.#exchange("PATCH", handle, headers, signal, async (answer) => {
      await requireDone(handle, answer);
    });
  }
}

async function requireDone(handle: Handle, answer: HttpAnswer): Promise<void> {
  if (answer.status === 404)
    throw new BackstayError("STORE_NOT_FOUND", { file: handlePath(handle) });
  if (answer.status !== 200) throw await answer.refusal();
}
