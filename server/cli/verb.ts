/** What a command of `backstay-server` is made of: a noun with its verbs, and what a verb is given when it runs. */
import type { Command } from "commander";
import type { Environment } from "./environment.ts";
import type { ManagementClient } from "./management-client.ts";

/** A row of the table of nouns: enough to list it without loading it. */
export interface NounEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Noun>;
}

/** A noun with verbs (`group list`), or a command of one word (`status`). */
export type Noun = readonly Verb[] | Verb;

export interface Verb {
  /** `list`; for a command of one word that word. */
  readonly name: string;
  readonly summary: string;
  /** Whole lines as people type them. */
  readonly examples: readonly string[];
  /** True if it asks no server, and takes no options that say which. */
  readonly isLocal?: true;
  /** Adds arguments and options. */
  readonly define?: (command: Command) => void;
  /** Does the work; resolves with what is shown. Rejects with a BackstayError or the signal's reason. */
  readonly run: (call: VerbCall) => Promise<Shown>;
}

export interface VerbCall {
  readonly operands: readonly string[];
  /** As commander makes them of what `define` added. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly io: VerbStreams;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  /** Opens the connection at its first use. SERVER_ACCESS if it is not known how. */
  readonly client: () => Promise<ManagementClient>;
}

export interface VerbStreams {
  readonly input: NodeJS.ReadableStream;
  /** Writes raw results; ends with its return. */
  readonly write: (bytes: Uint8Array | string) => Promise<void>;
  /** Tells people something on standard error. */
  readonly note: (line: string) => void;
}

/** A result: for programs, and in lines for people. */
export interface Shown {
  /** Undefined: everything has been written. */
  readonly json: unknown;
  readonly lines: readonly string[];
  /** 0 unless told otherwise. */
  readonly exitCode?: number;
}

/** For options that may be given several times. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
