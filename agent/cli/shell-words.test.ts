/** Words of a password command. */
import { expect, it } from "vitest";
import { splitWords } from "./shell-words.ts";

it.each([
  ["pass show backup", ["pass", "show", "backup"]],
  ["  pass\t show  ", ["pass", "show"]],
  [`"C:\\Program Files\\pass.exe" -x`, ["C:\\Program Files\\pass.exe", "-x"]],
  [`echo 'it is "so"' a"b c"d`, ["echo", 'it is "so"', "ab cd"]],
  [`x '' ""`, ["x", "", ""]],
  ["echo $HOME `id` ; rm", ["echo", "$HOME", "`id`", ";", "rm"]],
])("%j is split", (line, words) => {
  expect(splitWords(line, "--password-command")).toEqual(words);
});

it.each([`echo "open`, "echo 'open", "", "   "])("%j is refused", (line) => {
  expect(() => splitWords(line, "--password-command")).toThrow(/--password-command/);
});
