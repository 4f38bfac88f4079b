/** Names of machines in a CSV file, as spreadsheets write it. Pure. */

/**
 * The names of a CSV file: the column `name` or `host` if its first line has one, else the first column. Separated by
 * commas, semicolons or tabs; quotes as usual; blank lines and lines that begin with # are left out. Each name once.
 */
export function namesFromCsv(text: string): string[] {
  const lines = text
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map(cellsOf);
  const title =
    lines.at(0)?.findIndex((cell) => /^(?:host ?)?name$|^host$|^computer$/i.test(cell)) ?? -1;
  const rows = title < 0 ? lines : lines.slice(1);
  const names = rows.map((cells) => cells[Math.max(0, title)] ?? "").filter((name) => name !== "");
  return [...new Map(names.map((name) => [name.toLowerCase(), name])).values()];
}

function cellsOf(line: string): string[] {
  const cells = line.matchAll(/(?:^|[,;\t])(?:\s*"((?:[^"]|"")*)"\s*(?=[,;\t]|$)|([^,;\t]*))/g);
  return [...cells].map(([, quoted, plain]) => (quoted?.replaceAll('""', '"') ?? plain).trim());
}
