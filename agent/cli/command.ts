/** What a command of the command line is made of, and what it is given when it runs. */
import type { Command } from "commander";
import type { Environment } from "./environment.ts";
import type { GlobalOptions } from "./global-options.ts";
import type { Screen } from "./screen.ts";

/** A row of the command table: enough to list a command without loading it. */
export interface CommandEntry {
  /** One word, or two for the commands of a group: `key add`. */
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<CliCommand>;
}

/** One command. `Options` are what commander makes of the options that `define` adds. */
export interface CliCommand<Options extends object = object> {
  /** True if its work matters though nobody reads its output; others end when the reader goes away. */
  readonly worksUnread?: boolean;
  /** True if Ctrl-C is how people end it or leave it, so that nothing needs to be said about that. */
  readonly endsByInterruption?: boolean;
  /** Adds arguments, options and examples. */
  define(command: Command): void;
  /** Does the work; resolves with the exit code. Rejects with a BackstayError or the signal's reason. */
  run(invocation: Invocation<Options>): Promise<number>;
}

export interface Invocation<Options extends object = object> {
  /** What is left when the options are taken away. May hold lone surrogates (platform/process-arguments.ts). */
  readonly operands: readonly string[];
  readonly options: Options;
  readonly globals: GlobalOptions;
  readonly screen: Screen;
  /** Aborted by Ctrl-C and its kin. */
  readonly signal: AbortSignal;
  readonly environment: Environment;
  /** All commands, for those that describe the others. */
  readonly commands: readonly CommandEntry[];
}

/** Exit codes that are no failure of the catalogue. */
export const exitCodes = { done: 0, failed: 1, incomplete: 3, interrupted: 130 } as const;

/** For options that may be given several times. */
export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

/** Adds examples to the help of a command, one line each. */
export function addExamples(command: Command, examples: readonly string[]): void {
  command.addHelpText("after", `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}`);
}
