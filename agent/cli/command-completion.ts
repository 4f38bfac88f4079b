/** `backstay completion`: prints a completion script for a shell. */
import { Argument } from "commander";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { buildParser } from "./command-line.ts";
import { bashCompletion } from "./completion-bash.ts";
import { fishCompletion } from "./completion-fish.ts";
import type { CompletionCommand } from "./completion-words.ts";
import { zshCompletion } from "./completion-zsh.ts";

const shells = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;
/** Others take paths of a snapshot, or none. */
const takingPaths = ["backup", "policy apply", "policy validate", "support-bundle"];
const pathWords = ["file", "folder", "path", "paths", "place", "dir"];

export const completionCommand: CliCommand = {
  define(command) {
    command.addArgument(new Argument("<shell>", "bash, zsh or fish").choices(Object.keys(shells)));
    addExamples(command, [
      "backstay completion bash > /etc/bash_completion.d/backstay",
      "backstay completion zsh > /usr/local/share/zsh/site-functions/_backstay",
      "backstay completion fish > ~/.config/fish/completions/backstay.fish",
    ]);
  },

  async run({ operands, commands, screen }) {
    const described: CompletionCommand[] = [];
    for (const entry of commands) {
      const parser = buildParser(entry, await entry.load());
      described.push({
        name: entry.name,
        summary: entry.summary,
        takesPaths: takingPaths.includes(entry.name),
        options: parser.options.map((option) => ({
          flags: [option.long, option.short].filter((flag) => flag !== undefined && flag !== null),
          description: option.description,
          takesValue: option.required || option.optional,
          choices: option.argChoices ?? [],
          isPath: pathWords.some((word) => option.flags.includes(`<${word}>`)),
        })),
      });
    }
    screen.print(shells[operands[0] as keyof typeof shells](described));
    return exitCodes.done;
  },
};
