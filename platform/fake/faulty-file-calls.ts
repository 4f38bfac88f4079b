/**
 * File calls that fail on purpose, for tests: the n-th call of all, or every call of one name. Calls on open
 * files count like the others.
 *
 * A call that fails `after` its effect has had it, but the caller learns only of the failure. Opening never
 * fails so with the file left open, and closing always closes.
 */
import type { FileHandle } from "node:fs/promises";
import type { ExtraFileCalls } from "../node/extra-file-calls.ts";
import type { FileCalls } from "../node/file-calls.ts";

export interface FileFault {
  /** Error name such as `EIO`. */
  readonly code: string;
  /** As Node gives it, negative. */
  readonly errno?: number;
  /** Which call fails, counted from 1 among those of `calls`. */
  readonly failAt: number;
  /** How many in a row fail: 1 unless given. */
  readonly times?: number;
  /** Only these count, such as `link` or `sync`; all unless given. */
  readonly calls?: readonly string[];
  readonly moment?: "before" | "after";
}

type AnyCall = (...values: never[]) => Promise<unknown>;

/** Wraps both kinds of calls; the wrapped ones are in `calls` and `extra`. */
export class FaultyFileCalls {
  readonly calls: FileCalls;
  readonly extra: ExtraFileCalls;
  /** Names of the calls made so far, in order. */
  readonly made: string[] = [];
  /** Calls that failed on purpose so far. */
  struck = 0;
  readonly #fault: FileFault;
  #counted = 0;

  constructor(calls: FileCalls, extra: ExtraFileCalls, fault: FileFault) {
    this.#fault = fault;
    this.calls = this.#wrap(calls);
    this.extra = this.#wrap(extra);
  }

  #wrap<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (_, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        if (name === "setUnbuffered" || typeof name === "symbol") return member.bind(target);
        return async (...values: never[]) => {
          const result = await this.#call(name, (member as AnyCall).bind(target), values);
          return isFileHandle(result) ? this.#wrap(result) : result;
        };
      },
    });
  }

  async #call(name: string, call: AnyCall, values: never[]): Promise<unknown> {
    this.made.push(name);
    if (!this.#isDue(name)) return await call(...values);
    this.struck += 1;
    if (name === "close" || this.#fault.moment === "after") {
      const result = await call(...values);
      if (isFileHandle(result)) await result.close();
    }
    const { code, errno } = this.#fault;
    throw Object.assign(new Error(`${name}: injected ${code}`), {
      code,
      syscall: name,
      ...(errno === undefined ? {} : { errno }),
    });
  }

  #isDue(name: string): boolean {
    const { calls, failAt, times = 1 } = this.#fault;
    if (calls !== undefined && !calls.includes(name)) return false;
    this.#counted += 1;
    return this.#counted >= failAt && this.#counted < failAt + times;
  }
}

function isFileHandle(value: unknown): value is FileHandle {
  return typeof value === "object" && value !== null && "fd" in value && "sync" in value;
}
