/** A completion script for fish. Pure. */
import { type CompletionCommand, firstWords } from "./completion-words.ts";

export function fishCompletion(commands: readonly CompletionCommand[]): string {
  const words = firstWords(commands);
  const all = words.map(({ word }) => word).join(" ");
  const lines = words.map(
    ({ word, summary }) =>
      `complete -c backstay -n __fish_use_subcommand -f -a ${word} -d ${fishQuoted(summary)}`,
  );
  for (const { word, seconds } of words)
    for (const second of seconds) {
      const condition = `__fish_seen_subcommand_from ${word}; and not __fish_seen_subcommand_from ${seconds.join(" ")}`;
      const summary = commands.find(({ name }) => name === `${word} ${second}`)?.summary ?? "";
      lines.push(
        `complete -c backstay -n ${fishQuoted(condition)} -f -a ${second} -d ${fishQuoted(summary)}`,
      );
    }
  for (const command of commands) {
    const condition = command.name
      .split(" ")
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join("; and ");
    const start = `complete -c backstay -n ${fishQuoted(condition)}`;
    if (!command.takesPaths) lines.push(`${start} -f`);
    for (const option of command.options) lines.push(`${start}${optionWords(option)}`);
  }
  return `# Completion of backstay for fish.
complete -c backstay -n ${fishQuoted(`__fish_seen_subcommand_from help`)} -f -a ${fishQuoted(all)}
${lines.join("\n")}
`;
}

function optionWords(option: CompletionCommand["options"][number]): string {
  const flags = option.flags.map((flag) =>
    flag.startsWith("--") ? ` -l ${flag.slice(2)}` : ` -s ${flag.slice(1)}`,
  );
  const value = option.takesValue ? (option.isPath ? " -r -F" : " -x") : "";
  const choices = option.choices.length > 0 ? ` -a ${fishQuoted(option.choices.join(" "))}` : "";
  return `${flags.join("")}${value}${choices} -d ${fishQuoted(option.description)}`;
}

/** fish knows only two escapes inside single quotes. */
function fishQuoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
