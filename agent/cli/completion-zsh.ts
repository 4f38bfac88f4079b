/** A completion script for zsh. Pure. */
import { type CompletionCommand, firstWords, quoted } from "./completion-words.ts";

export function zshCompletion(commands: readonly CompletionCommand[]): string {
  const words = firstWords(commands).map(
    ({ word, summary }) => `    ${quoted(`${word}:${summary}`)}`,
  );
  const groups = firstWords(commands)
    .filter(({ seconds }) => seconds.length > 0)
    .map(({ word, seconds }) => {
      const choices = seconds.map((second) => {
        const summary = commands.find(({ name }) => name === `${word} ${second}`)?.summary ?? "";
        return quoted(`${second}:${summary}`);
      });
      return `    ${word})
      if ((CURRENT == 2)); then
        local -a seconds=(${choices.join(" ")})
        _describe -t commands '${word} command' seconds
        return
      fi
      command="${word} $words[2]"
      words=("$words[2]" "\${(@)words[3,-1]}")
      ((CURRENT--))
      ;;`;
    });
  const cases = commands.map(
    (command) => `    ${quoted(command.name)})
      _arguments -s ${argumentsOf(command)}
      ;;`,
  );
  return `#compdef backstay
# Completion of backstay for zsh.
_backstay() {
  local curcontext="$curcontext" state line command
  local -a commands=(
${words.join("\n")}
    'help:show the help of a command'
  )
  _arguments -C '1:command:->command' '*::argument:->argument'
  if [[ $state == command ]]; then
    _describe -t commands 'backstay command' commands
    return
  fi
  command="$words[1]"
  case "$command" in
${groups.join("\n")}
    help)
      _describe -t commands 'backstay command' commands
      return
      ;;
  esac
  case "$command" in
${cases.join("\n")}
  esac
}
if [[ $funcstack[1] == _backstay ]]; then _backstay "$@"; else compdef _backstay backstay; fi
`;
}

function argumentsOf({ options, takesPaths }: CompletionCommand): string {
  const specs = options.flatMap(({ flags, description, takesValue, choices, isPath }) =>
    flags.map((flag) => {
      const action = choices.length > 0 ? `(${choices.join(" ")})` : isPath ? "_files" : " ";
      const text = description.replace(/[[\]:\\]/g, "\\$&");
      return quoted(`*${flag}[${text}]${takesValue ? `:value:${action}` : ""}`);
    }),
  );
  return [...specs, quoted(`*:operand:${takesPaths ? "_files" : " "}`)].join(" ");
}
