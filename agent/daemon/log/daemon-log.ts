/**
 * The daemon's log: one line of JSON for each thing that happened. To the system's journal with its priorities where
 * there is one, else to files that are rotated; by hand to the terminal too.
 */
import { type DestinationStream, type Logger, pino } from "pino";
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import type { LogLevel, LogLine } from "../../../protocol/local-api/log-line.ts";
import { type LogFields, LogRedaction } from "./log-fields.ts";
import { RecentLines } from "./recent-lines.ts";
import { RotatingFile, type RotationLimits } from "./rotating-file.ts";

export interface LogOptions {
  readonly nowMs: () => number;
  /** True if standard output is the journal: then each line begins with its priority, and there is no file. */
  readonly isJournal: boolean;
  /** Absolute; where lines go without a journal. */
  readonly file: string;
  /** Standard output, for a journal or a terminal; absent: none. */
  readonly print?: (text: string) => void;
  readonly rotation?: RotationLimits;
  /** Told once when lines can't be written, and with undefined when they can again. */
  readonly onTrouble: (problem: string | undefined) => void;
}

const usualRotation: RotationLimits = { sizeBytes: 5 * 2 ** 20, files: 4 };
const tailBytes = 512 * 1024;
/** As syslog counts. */
const priorities: Readonly<Record<string, number>> = { debug: 7, info: 6, warn: 4, error: 3 };
const pinoLevels = { debug: "debug", info: "info", warning: "warn", error: "error" } as const;

export class DaemonLog {
  readonly redaction = new LogRedaction();
  readonly #options: LogOptions;
  readonly #recent = new RecentLines();
  readonly #file: RotatingFile | undefined;
  readonly #logger: Logger;
  #hasTrouble = false;

  constructor(options: LogOptions) {
    this.#options = options;
    if (!options.isJournal) {
      this.#file = new RotatingFile(options.file, options.rotation ?? usualRotation);
      for (const line of this.#file.tail(tailBytes).split("\n"))
        if (line !== "") this.#recent.add(line);
    }
    this.#logger = pino(
      {
        level: "info",
        base: null,
        messageKey: "text",
        timestamp: () => `,"time":${options.nowMs()}`,
        formatters: { level: (label) => ({ level: label === "warn" ? "warning" : label }) },
      },
      this.#destination(),
    );
  }

  setLevel(level: LogLevel): void {
    this.#logger.level = pinoLevels[level];
  }

  debug(text: string, fields: LogFields = {}): void {
    this.#logger.debug(this.redaction.fields(fields), this.redaction.text(text));
  }

  info(text: string, fields: LogFields = {}): void {
    this.#logger.info(this.redaction.fields(fields), this.redaction.text(text));
  }

  warning(text: string, fields: LogFields = {}): void {
    this.#logger.warn(this.redaction.fields(fields), this.redaction.text(text));
  }

  error(text: string, fields: LogFields = {}): void {
    this.#logger.error(this.redaction.fields(fields), this.redaction.text(text));
  }

  /** Something that failed: its code if it has one, else where it came from. */
  failure(text: string, error: unknown, fields: LogFields = {}): void {
    this.error(text, { ...fields, ...failureFields(error) });
  }

  /** The last lines, oldest first, and those that come, for a listener. */
  read(
    count: number,
    listener?: (line: LogLine) => void,
  ): { readonly lines: readonly LogLine[]; readonly stop: () => void } {
    return this.#recent.read(count, listener);
  }

  close(): void {
    this.#file?.close();
  }

  #destination(): DestinationStream {
    const { isJournal, print } = this.#options;
    const destination = {
      // Pino tells the level of a line to destinations that ask for it.
      [Symbol.for("pino.metadata")]: true,
      lastLevel: 30,
      write: (line: string): void => {
        this.#recent.add(line.trimEnd());
        const label = pino.levels.labels[destination.lastLevel] ?? "info";
        print?.(isJournal ? `<${priorities[label] ?? 6}>${line}` : line);
        this.#writeFile(line);
      },
    };
    return destination;
  }

  #writeFile(line: string): void {
    try {
      this.#file?.write(line);
      if (this.#hasTrouble) this.#options.onTrouble(undefined);
      this.#hasTrouble = false;
    } catch (error) {
      const isNew = !this.#hasTrouble;
      this.#hasTrouble = true;
      if (isNew) this.#options.onTrouble((error as NodeJS.ErrnoException).code ?? String(error));
    }
  }
}

/** What a log says about an error; the trace of one that nobody foresaw. */
export function failureFields(error: unknown): LogFields {
  if (isBackstayError(error)) {
    const stack = error.kind === "bug" ? error.stack : undefined;
    return { code: error.code, problem: error.message, ...(stack !== undefined && { stack }) };
  }
  if (!(error instanceof Error)) return { problem: String(error) };
  return { problem: error.message, ...(error.stack !== undefined && { stack: error.stack }) };
}
