/** What the completion scripts of all shells share. Pure. */

/** What a shell needs to know of an option. */
export interface CompletionOption {
  /** `--long` and, where there is one, `-s`. */
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  /** The only values it accepts; empty if any. */
  readonly choices: readonly string[];
  /** Its value names a file or folder. */
  readonly isPath: boolean;
}

/** What a shell needs to know of a command. */
export interface CompletionCommand {
  /** One word or two. */
  readonly name: string;
  readonly summary: string;
  readonly options: readonly CompletionOption[];
  /** Its operands may be files or folders of this machine. */
  readonly takesPaths: boolean;
}

export interface FirstWord {
  readonly word: string;
  readonly summary: string;
  /** For groups: the words that may follow. */
  readonly seconds: readonly string[];
}

/** The first words of all commands; `key add` and its kin give one word with several seconds. */
export function firstWords(commands: readonly CompletionCommand[]): FirstWord[] {
  const found = new Map<string, { word: string; summary: string; seconds: string[] }>();
  for (const { name, summary } of commands) {
    const [word, second] = name.split(" ");
    const entry = found.get(word) ?? {
      word,
      summary: second === undefined ? summary : `commands that begin with ${word}`,
      seconds: [],
    };
    found.set(word, entry);
    if (second !== undefined) entry.seconds.push(second);
  }
  return [...found.values()];
}

/** A text as one word of a shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
