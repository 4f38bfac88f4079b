/** Tables of text for terminals, and text made safe to show there. Pure. */

/** Control characters, directions and line breaks would let a name of a machine play with the terminal. */
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** The text with everything that a terminal would obey or hide written as an escape. */
export function shownText(text: string): string {
  return text.replace(
    unsafe,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** The lines of a table: a title line, then a line for each row. Columns are as wide as what they hold. */
export function tableLines(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
): string[] {
  const cells = [titles, ...rows.map((row) => row.map(shownText))];
  const widths = titles.map((_, column) =>
    Math.max(...cells.map((row) => [...row[column]].length)),
  );
  return cells.map((row) =>
    row
      .map((cell, column) => cell + " ".repeat(widths[column] - [...cell].length))
      .join("  ")
      .trimEnd(),
  );
}

/** The lines of one thing: a name and a value each. Values of several lines are continued below. */
export function factLines(facts: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...facts.map(([name]) => name.length)) + 2;
  return facts.flatMap(([name, value]) =>
    value
      .split("\n")
      .map((line, index) =>
        `${(index === 0 && name !== "" ? `${name}:` : "").padEnd(width)}${shownText(line)}`.trimEnd(),
      ),
  );
}
