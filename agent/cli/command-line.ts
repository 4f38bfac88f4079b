/** Takes a command line apart: which command, its options and its operands, or which help is wanted. */
import { Command, CommanderError, type Option } from "commander";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { CliCommand, CommandEntry } from "./command.ts";
import { addGlobalOptions, globalFlagsWithValue } from "./global-options.ts";

/** What a command line asks for. */
export type Request =
  | { readonly kind: "help"; readonly text: string }
  | {
      readonly kind: "run";
      readonly command: CliCommand;
      readonly operands: readonly string[];
      /** Options of the command and of every command together. */
      readonly options: object;
    };

const programName = "backstay";
const helpFlags = ["-h", "--help"];
const helpWidth = 100;

/** Reads the arguments that follow the program's name. Rejects with USAGE. */
export async function parseCommandLine(
  commands: readonly CommandEntry[],
  given: readonly string[],
): Promise<Request> {
  const args = given.flatMap(spellOutVerbosity);
  const at = commandPosition(args);
  if (at < 0) return bareRequest(commands, args);
  if (args[at] === "help") return await helpRequest(commands, withoutFlags(args.slice(at + 1)));
  const entry = findCommand(commands, args.slice(at, at + 2));
  if (entry === undefined) return groupRequest(commands, args.slice(at));
  const wordCount = entry.name.split(" ").length;
  const command = await entry.load();
  const parser = buildParser(entry, command);
  const rest = [...args.slice(0, at), ...args.slice(at + wordCount)];
  try {
    parser.parse(rest, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { kind: "help", text: helpOf(parser) };
    throw usage(error, entry.name);
  }
  return { kind: "run", command, operands: parser.args, options: parser.opts() };
}

/** A parser that knows a command's own options and those of every command. */
export function buildParser(entry: CommandEntry, command: CliCommand): Command {
  const parser = new Command(`${programName} ${entry.name}`)
    .description(`${entry.summary[0].toUpperCase()}${entry.summary.slice(1)}.`)
    .exitOverride()
    .allowExcessArguments(false)
    .configureHelp({ helpWidth, optionDescription })
    .configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  parser.optionsGroup("Options:").helpOption("-h, --help", "show this help");
  command.define(parser);
  addGlobalOptions(parser);
  return parser;
}

/** The index of the command's name; -1 if there is none. Options of every command may stand before it. */
function commandPosition(args: readonly string[]): number {
  for (let at = 0; at < args.length; at += 1) {
    const argument = args[at];
    if (helpFlags.includes(argument) || argument === "--version") return -1;
    if (!argument.startsWith("-") || argument === "-") return at;
    if (globalFlagsWithValue.includes(argument)) at += 1;
  }
  return -1;
}

function findCommand(
  commands: readonly CommandEntry[],
  words: readonly string[],
): CommandEntry | undefined {
  const [first = "", second = ""] = words;
  return (
    commands.find(({ name }) => name === `${first} ${second}`) ??
    commands.find(({ name }) => name === first)
  );
}

/** No command at all: the help of the program, its version, or a mistake. */
async function bareRequest(
  commands: readonly CommandEntry[],
  args: readonly string[],
): Promise<Request> {
  if (args.includes("--version")) {
    const entry = findCommand(commands, ["version"]);
    if (entry !== undefined)
      return {
        kind: "run",
        command: await entry.load(),
        operands: [],
        options: optionsOfNothing(entry, await entry.load(), args),
      };
  }
  if (args.length > 0 && !args.some((argument) => helpFlags.includes(argument)))
    throw new BackstayError("USAGE", { problem: "a command is missing" });
  return { kind: "help", text: programHelp(commands) };
}

function optionsOfNothing(
  entry: CommandEntry,
  command: CliCommand,
  args: readonly string[],
): object {
  const parser = buildParser(entry, command);
  try {
    parser.parse(
      args.filter((argument) => argument !== "--version"),
      { from: "user" },
    );
  } catch (error) {
    throw error instanceof CommanderError ? usage(error, entry.name) : error;
  }
  return parser.opts();
}

/** `key` alone, `key nonsense`, or a word that is no command. */
function groupRequest(commands: readonly CommandEntry[], args: readonly string[]): Request {
  const [word, next] = args;
  const group = commands.filter(({ name }) => name.startsWith(`${word} `));
  if (group.length > 0 && (next === undefined || next.startsWith("-")))
    return { kind: "help", text: listHelp(`${programName} ${word} COMMAND [options]`, group) };
  const wrong = group.length > 0 && next !== undefined ? `${word} ${next}` : word;
  const meant = similarName(commands, wrong);
  throw new BackstayError("USAGE", {
    problem: `there is no command "${wrong}"`,
    ...(meant === undefined ? {} : { "did you mean": meant }),
  });
}

async function helpRequest(
  commands: readonly CommandEntry[],
  words: readonly string[],
): Promise<Request> {
  if (words.length === 0) return { kind: "help", text: programHelp(commands) };
  const entry = findCommand(commands, words);
  if (entry === undefined) return groupRequest(commands, words.slice(0, 2));
  return { kind: "help", text: helpOf(buildParser(entry, await entry.load())) };
}

function programHelp(commands: readonly CommandEntry[]): string {
  const parser = new Command(programName)
    .helpOption(false)
    .configureHelp({ helpWidth, optionDescription });
  addGlobalOptions(parser);
  const options = helpOf(parser).split("\n").slice(2).join("\n");
  return [
    "Backstay backs up files into repositories of restic's format.",
    "",
    listHelp(`${programName} COMMAND [options]`, commands),
    options,
    "Examples:",
    "  export BACKSTAY_REPOSITORY=/mnt/disk/backup BACKSTAY_PASSWORD_FILE=/etc/backstay/password",
    "  backstay init",
    "  backstay backup /etc /srv",
    "  backstay restore latest --target /tmp/restored",
    "",
    "Run `backstay help COMMAND` for the options of a command.",
    "",
  ].join("\n");
}

function listHelp(form: string, commands: readonly CommandEntry[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const rows = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return [`Usage: ${form}`, "", "Commands:", ...rows, ""].join("\n");
}

/** The whole help of a command, with what `addHelpText` added. */
function helpOf(parser: Command): string {
  let text = "";
  parser.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => helpWidth });
  parser.outputHelp();
  return text;
}

function optionDescription({ description, argChoices, defaultValue }: Option): string {
  const choices = argChoices === undefined ? "" : ` (${argChoices.join(", ")})`;
  const usual = typeof defaultValue === "string" ? ` [${defaultValue}]` : "";
  return `${description}${choices}${usual}`;
}

function withoutFlags(args: readonly string[]): string[] {
  return args.filter((argument) => !argument.startsWith("-"));
}

/** restic's users write `--verbose=2`. */
function spellOutVerbosity(argument: string): string[] {
  const match = /^--verbose=([0-3])$/.exec(argument);
  return match === null ? [argument] : Array.from({ length: Number(match[1]) }, () => "--verbose");
}

function usage(error: CommanderError, name: string): BackstayError {
  const [first, ...others] = error.message.replace(/^error: /, "").split("\n");
  const suggestion = others.join(" ").replace(/[()]/g, "").trim();
  return new BackstayError(
    "USAGE",
    { command: name, problem: suggestion === "" ? first : `${first}; ${suggestion}` },
    error,
  );
}

/** The command name nearest to `word`, if it is near enough to be a slip of the finger. */
function similarName(commands: readonly CommandEntry[], word: string): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.ceil(word.length / 2));
  for (const { name } of commands) {
    const distance = editDistance(word.slice(0, 40), name);
    if (distance >= bestDistance) continue;
    bestDistance = distance;
    best = name;
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let line = 1; line <= a.length; line += 1) {
    const next = [line];
    for (let column = 1; column <= b.length; column += 1) {
      const change = a[line - 1] === b[column - 1] ? 0 : 1;
      next.push(Math.min(row[column] + 1, next[column - 1] + 1, row[column - 1] + change));
    }
    row = next;
  }
  return row[b.length];
}
