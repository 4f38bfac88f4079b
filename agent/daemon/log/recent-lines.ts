/** The last lines of the log in memory, for those who ask the daemon for them, and for those who follow. */
import type { LogLevel, LogLine } from "../../../protocol/local-api/log-line.ts";

const linesMax = 10_000;
const charactersMax = 1_000_000;
const levels: readonly LogLevel[] = ["debug", "info", "warning", "error"];

export class RecentLines {
  /** As they were written: JSON. */
  #lines: string[] = [];
  #characters = 0;
  readonly #listeners = new Set<(line: LogLine) => void>();

  add(text: string): void {
    this.#lines.push(text);
    this.#characters += text.length;
    if (this.#lines.length > linesMax || this.#characters > charactersMax) this.#dropOldest();
    if (this.#listeners.size === 0) return;
    const line = logLine(text);
    if (line !== undefined) for (const listener of [...this.#listeners]) listener(line);
  }

  /** The last `count` lines, oldest first; `listener` is called for each that comes after them. */
  read(
    count: number,
    listener?: (line: LogLine) => void,
  ): { readonly lines: readonly LogLine[]; readonly stop: () => void } {
    const wanted = count > 0 ? this.#lines.slice(-count) : [];
    const lines = wanted.map(logLine).filter((line) => line !== undefined);
    if (listener !== undefined) this.#listeners.add(listener);
    return {
      lines,
      stop: () => {
        if (listener !== undefined) this.#listeners.delete(listener);
      },
    };
  }

  /** A quarter at a time, so that it does not happen with each line. */
  #dropOldest(): void {
    this.#lines = this.#lines.slice(Math.ceil(this.#lines.length / 4));
    this.#characters = this.#lines.reduce((sum, line) => sum + line.length, 0);
  }
}

/** A line of the log as it is in its file; undefined if it is none. */
export function logLine(text: string): LogLine | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const { time, level, text: words, ...rest } = parsed as Record<string, unknown>;
  if (typeof time !== "number" || typeof words !== "string") return undefined;
  const fields = Object.entries(rest).filter(([, value]) =>
    ["string", "number", "boolean"].includes(typeof value),
  ) as [string, string | number | boolean][];
  return {
    timeMs: time,
    level: levels.find((known) => known === level) ?? "info",
    text: words,
    fields: Object.fromEntries(fields),
  };
}
