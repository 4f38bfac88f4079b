/** The rows of the benchmark: the same work done by each program, one after the other. */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { type Measured, measureRun, warm } from "./measured-run.ts";
import type { BenchProgram, CommandLine } from "./programs.ts";

export const rowNames = [
  "initial, large files",
  "restore, large files",
  "check with all data",
  "initial, small files",
  "unchanged, small files",
  "restore, small files",
] as const;
export type RowName = (typeof rowNames)[number];

export interface Result {
  readonly row: RowName;
  readonly program: string;
  readonly runs: readonly Measured[];
}

export interface BenchSources {
  readonly large: string;
  readonly small: string;
}

/** Runs all rows; `repeats` runs of each, from scratch where the work is an initial backup or a restore. */
export async function runRows(
  programs: readonly BenchProgram[],
  sources: BenchSources,
  folder: string,
  repeats: number,
  told: (result: Result) => void,
): Promise<Result[]> {
  const results: Result[] = [];
  const add = (row: RowName, program: BenchProgram, runs: Measured[]): void => {
    const result = { row, program: program.name, runs };
    results.push(result);
    told(result);
  };
  for (const [kind, source] of [
    ["large", sources.large],
    ["small", sources.small],
  ] as const) {
    for (const program of programs) {
      warm(source);
      const place = path.join(folder, "place");
      const initial = await repeat(repeats, async () => {
        fresh(place);
        await run(program, program.init(place));
        return await run(program, program.backup(place, source));
      });
      add(`initial, ${kind} files`, program, initial);
      if (kind === "small") {
        const again = await repeat(repeats, () => run(program, program.backup(place, source)));
        add("unchanged, small files", program, again);
      }
      // Packs that were written past the page cache would be the only cold ones.
      warm(place);
      const target = path.join(folder, "target");
      const restored = await repeat(repeats, async () => {
        fresh(target);
        return await run(program, program.restore(place, source, target));
      });
      add(`restore, ${kind} files`, program, restored);
      rmSync(target, { recursive: true, force: true });
      if (kind === "large") {
        const checked = await repeat(repeats, () => run(program, program.checkData(place)));
        add("check with all data", program, checked);
      }
      rmSync(place, { recursive: true, force: true });
    }
  }
  return results;
}

async function run(program: BenchProgram, line: CommandLine): Promise<Measured> {
  // What the run before left to the disk is not this one's work.
  spawnSync("sync");
  const env = { ...process.env, ...program.environment };
  return await measureRun(line.command, line.args, {
    env,
    ...(line.cwd === undefined ? {} : { cwd: line.cwd }),
  });
}

async function repeat(times: number, work: () => Promise<Measured>): Promise<Measured[]> {
  const runs: Measured[] = [];
  for (let i = 0; i < times; i += 1) runs.push(await work());
  return runs;
}

function fresh(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
}
