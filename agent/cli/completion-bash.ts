/** A completion script for bash. Pure. */
import { type CompletionCommand, firstWords, quoted } from "./completion-words.ts";

export function bashCompletion(commands: readonly CompletionCommand[]): string {
  const cases = commands.map((command) => {
    const flags = command.options.flatMap((option) => option.flags);
    return `    ${quoted(command.name)}) flags=${quoted([...flags, "--help"].join(" "))} paths=${command.takesPaths ? 1 : 0} ;;`;
  });
  const groups = firstWords(commands)
    .filter(({ seconds }) => seconds.length > 0)
    .map(({ word, seconds }) => `    ${word}) words=${quoted(seconds.join(" "))} ;;`);
  return `# Completion of backstay for bash.
_backstay() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local command="" word words flags="" paths=0 at
  for ((at = 1; at < COMP_CWORD; at++)); do
    word="\${COMP_WORDS[at]}"
    case "$word" in
      ${valueFlags(commands).join("|")}) ((at++)) ;;
      -*) ;;
      *) if [[ -z $command ]]; then command="$word"; else command+=" $word"; break; fi ;;
    esac
  done
  COMPREPLY=()
  case "$previous" in
${choiceCases(commands).join("\n")}
    ${pathFlags(commands).join("|")}) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    ${plainFlags(commands).join("|")}) return ;;
  esac
  if [[ -z $command && $current != -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W ${quoted([...firstWords(commands).map(({ word }) => word), "help"].join(" "))} -- "$current")
    return
  fi
  words=""
  case "$command" in
${groups.join("\n")}
    help) words=${quoted(
      firstWords(commands)
        .map(({ word }) => word)
        .join(" "),
    )} ;;
  esac
  if [[ -n $words ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    return
  fi
  for word in "$command" "\${command%% *}"; do
    case "$word" in
${cases.map((line) => `  ${line}`).join("\n")}
    esac
    [[ -n $flags ]] && break
  done
  if [[ $current == -* || $paths == 0 ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$current")
  else
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}
complete -F _backstay backstay
`;
}

function flagsWhere(
  commands: readonly CompletionCommand[],
  holds: (option: CompletionCommand["options"][number]) => boolean,
): string[] {
  return [
    ...new Set(
      commands.flatMap(({ options }) => options.filter(holds).flatMap(({ flags }) => flags)),
    ),
  ];
}

function valueFlags(commands: readonly CompletionCommand[]): string[] {
  return flagsWhere(commands, ({ takesValue }) => takesValue);
}

function pathFlags(commands: readonly CompletionCommand[]): string[] {
  return flagsWhere(commands, ({ takesValue, isPath }) => takesValue && isPath);
}

function plainFlags(commands: readonly CompletionCommand[]): string[] {
  return flagsWhere(
    commands,
    ({ takesValue, isPath, choices }) => takesValue && !isPath && choices.length === 0,
  );
}

function choiceCases(commands: readonly CompletionCommand[]): string[] {
  const byFlag = new Map<string, readonly string[]>();
  for (const { options } of commands)
    for (const { flags, choices } of options)
      for (const flag of flags) if (choices.length > 0) byFlag.set(flag, choices);
  return [...byFlag].map(
    ([flag, choices]) =>
      `    ${flag}) mapfile -t COMPREPLY < <(compgen -W ${quoted(choices.join(" "))} -- "$current"); return ;;`,
  );
}
