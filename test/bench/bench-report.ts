/** The table of a benchmark: seconds, and how many times longer the others take. */
import { type Result, rowNames } from "./bench-rows.ts";

/** Lines of text; `ours` is the name of the program that the others are compared with. */
export function reportLines(results: readonly Result[], ours: string): string[] {
  const programs = [...new Set(results.map(({ program }) => program))];
  const lines = [
    "| work | program | seconds (best) | processor seconds | peak memory, MB | takes × ours |",
    "| --- | --- | --- | --- | --- | --- |",
  ];
  for (const row of rowNames) {
    const base = find(results, row, ours);
    for (const program of programs) {
      const result = find(results, row, program);
      if (result === undefined) continue;
      const seconds = best(result, "seconds");
      const ratio = base === undefined ? "" : (seconds / best(base, "seconds")).toFixed(2);
      const memory = Math.max(...result.runs.map(({ peakBytes }) => peakBytes)) / 1e6;
      const processor = best(result, "processorSeconds").toFixed(2);
      lines.push(
        `| ${row} | ${program} | ${seconds.toFixed(2)} | ${processor} | ${memory.toFixed(0)} | ${ratio} |`,
      );
    }
  }
  return lines;
}

function find(results: readonly Result[], row: string, program: string): Result | undefined {
  return results.find((result) => result.row === row && result.program === program);
}

function best(result: Result, figure: "seconds" | "processorSeconds"): number {
  return Math.min(...result.runs.map((run) => run[figure]));
}
