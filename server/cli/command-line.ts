/** Takes a command line of `backstay-server` apart: which verb of which noun, or which help is wanted. */
import { Command, CommanderError, type Option } from "commander";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { programVersion } from "../../protocol/program-version.ts";
import { addConnectionOptions } from "./server-connection.ts";
import type { NounEntry, Verb } from "./verb.ts";

/** What a command line asks for. */
export type Request =
  | { readonly kind: "help"; readonly text: string }
  | {
      readonly kind: "run";
      readonly verb: Verb;
      readonly operands: readonly string[];
      readonly options: Readonly<Record<string, unknown>>;
    };

const program = "backstay-server";
const helpFlags = ["-h", "--help"];
const helpWidth = 100;

/** Reads the arguments that follow the program's name. Rejects with USAGE. */
export async function parseCommandLine(
  nouns: readonly NounEntry[],
  args: readonly string[],
): Promise<Request> {
  // Those who write scripts put it first.
  const given = args[0] === "--json" ? [...args.slice(1), "--json"] : args;
  const words = given[0] === "help" ? [...given.slice(1), "--help"] : [...given];
  const [first, second] = words;
  if (first === "--version" || first === "version")
    return { kind: "help", text: `${programVersion}\n` };
  if (first === undefined || helpFlags.includes(first))
    return { kind: "help", text: programHelp(nouns) };
  const entry = nouns.find(({ name }) => name === first);
  if (entry === undefined)
    throw new BackstayError("USAGE", {
      problem: `there is no command "${first}"`,
      commands: nouns.map(({ name }) => name).join(", "),
    });
  const noun = await entry.load();
  if (!Array.isArray(noun)) return parseVerb(noun as Verb, entry.name, words.slice(1));
  const verbs = noun as readonly Verb[];
  if (second === undefined || helpFlags.includes(second))
    return { kind: "help", text: nounHelp(entry, verbs) };
  const named = (word: string): Verb | undefined => verbs.find(({ name }) => name === word);
  // Many people's fingers know this verb by the other word.
  const verb = named(second) ?? (second === "add" ? named("create") : undefined);
  if (verb === undefined)
    throw new BackstayError("USAGE", {
      problem: `there is no command "${first} ${second}"`,
      [first]: verbs.map(({ name }) => name).join(", "),
    });
  return parseVerb(verb, `${first} ${verb.name}`, words.slice(2));
}

function parseVerb(verb: Verb, name: string, args: readonly string[]): Request {
  const parser = parserOf(verb, name);
  try {
    parser.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { kind: "help", text: helpOf(parser) };
    const problem = error.message.replace(/^error: /, "").replaceAll(/\s+/g, " ");
    throw new BackstayError("USAGE", { command: name, problem }, error);
  }
  return { kind: "run", verb, operands: parser.args, options: parser.opts() };
}

/** A parser that knows a verb's own options and those of every command. */
export function parserOf(verb: Verb, name: string): Command {
  const parser = new Command(`${program} ${name}`)
    .description(`${verb.summary[0].toUpperCase()}${verb.summary.slice(1)}.`)
    .exitOverride()
    .allowExcessArguments(false)
    .configureHelp({ helpWidth, optionDescription })
    .configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  parser.optionsGroup("Options:").helpOption("-h, --help", "show this help");
  verb.define?.(parser);
  if (verb.isLocal !== true) addConnectionOptions(parser);
  if (verb.examples.length > 0)
    parser.addHelpText(
      "after",
      `\nExamples:\n${verb.examples.map((line) => `  ${line}`).join("\n")}`,
    );
  return parser;
}

function programHelp(nouns: readonly NounEntry[]): string {
  const width = Math.max(...nouns.map(({ name }) => name.length));
  return [
    "The management server of Backstay: policies, machines, licences and the gateway.",
    "",
    `Usage: ${program} COMMAND [VERB] [options]`,
    "",
    "Commands:",
    ...nouns.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "Examples:",
    `  ${program} serve --data /var/lib/backstay-server`,
    "  export BACKSTAY_SERVER_DATA=/var/lib/backstay-server",
    `  ${program} apply -f fleet.yaml --dry-run`,
    `  ${program} agent list --overdue`,
    "",
    `Run \`${program} help COMMAND\` for the verbs of a command, \`${program} help COMMAND VERB\` for its options.`,
    "",
  ].join("\n");
}

function nounHelp({ name, summary }: NounEntry, verbs: readonly Verb[]): string {
  const width = Math.max(...verbs.map((verb) => verb.name.length));
  return [
    `${summary[0].toUpperCase()}${summary.slice(1)}.`,
    "",
    `Usage: ${program} ${name} VERB [options]`,
    "",
    "Verbs:",
    ...verbs.map((verb) => `  ${verb.name.padEnd(width)}  ${verb.summary}`),
    "",
    "Examples:",
    ...verbs.flatMap(({ examples }) => examples.slice(0, 1).map((line) => `  ${line}`)),
    "",
    `Run \`${program} help ${name} VERB\` for the options of a verb.`,
    "",
  ].join("\n");
}

/** The whole help of a verb, with what `addHelpText` added. */
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
