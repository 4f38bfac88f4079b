/** Splits a command line into words, as `--password-command` takes it: no shell runs, and nothing is replaced. */
import { BackstayError } from "../../protocol/backstay-error.ts";

/**
 * The words of a command line: separated by white space outside quotes, `'…'` and `"…"` hold words together.
 * A backslash is a character like any other, so that Windows paths stay whole. USAGE if a quote is open or
 * there is no word. `origin` names the option in errors.
 */
export function splitWords(line: string, origin: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (const character of line) {
    if (quote !== "") {
      if (character === quote) quote = "";
      else word += character;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= "";
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + character;
    }
  }
  if (quote !== "")
    throw new BackstayError("USAGE", { in: origin, problem: `a ${quote} is not closed` });
  if (word !== undefined) words.push(word);
  if (words.length === 0) throw new BackstayError("USAGE", { in: origin, problem: "it is empty" });
  return words;
}
