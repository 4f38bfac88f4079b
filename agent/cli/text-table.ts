/** Tables of text: cells may have several lines, columns are as wide as what they hold. Pure. */
import { displayWidth, padCells } from "./display-width.ts";

export interface TableColumn {
  readonly title: string;
  readonly align?: "left" | "right";
}

/** The lines of a table with rules above and below its rows. Cells must have been made safe to show. */
export function tableLines(
  columns: readonly TableColumn[],
  rows: readonly (readonly (readonly string[])[])[],
): string[] {
  const widths = columns.map(({ title }, column) =>
    Math.max(
      displayWidth(title),
      ...rows.flatMap((row) => row[column]).map((line) => displayWidth(line)),
    ),
  );
  const lineOf = (cells: readonly string[]): string =>
    columns
      .map(({ align }, column) =>
        padCells(cells[column], widths[column], align === "right" ? "left" : "right"),
      )
      .join("  ")
      .trimEnd();
  const rule = "-".repeat(widths.reduce((sum, width) => sum + width + 2, -2));
  const body = rows.flatMap((row) => {
    const height = Math.max(1, ...row.map((cell) => cell.length));
    return Array.from({ length: height }, (_, line) => lineOf(row.map((cell) => cell[line] ?? "")));
  });
  return [lineOf(columns.map(({ title }) => title)), rule, ...body, rule];
}
