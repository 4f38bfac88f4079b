/** `backstay stats`: counts files, blobs and bytes of snapshots. */
import { Option } from "commander";
import { findSnapshots } from "../repository/snapshot/snapshot-finder.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { failureLine } from "./error-report.ts";
import { printedName } from "./printed-text.ts";
import { formatBytes, unlessZero } from "./quantities.ts";
import { withRepository } from "./repository-session.ts";
import { addSnapshotOptions, listOptions, type SnapshotOptions } from "./snapshot-options.ts";
import {
  countSnapshots,
  type SnapshotStats,
  type StatsMode,
  statsModes,
} from "./snapshot-stats.ts";

interface StatsOptions extends SnapshotOptions {
  readonly mode: StatsMode;
}

export const statsCommand: CliCommand<StatsOptions> = {
  define(command) {
    command
      .argument("[snapshots...]", "ids or `latest`; all snapshots if none is given")
      .addOption(
        new Option("--mode <mode>", "what to count")
          .choices([...statsModes])
          .default("restore-size"),
      );
    addSnapshotOptions(command);
    command.addHelpText(
      "after",
      [
        "",
        "Modes:",
        "  restore-size       entries, and the bytes that restoring the snapshots takes",
        "  files-by-contents  files of different contents, and their bytes",
        "  blobs-per-file     blobs by the files that use them",
        "  raw-data           blobs, and the bytes that they take in the repository",
      ].join("\n"),
    );
    addExamples(command, ["backstay stats latest", "backstay stats --mode raw-data"]);
  },

  async run(invocation) {
    const { operands, options, environment, screen, signal, globals } = invocation;
    const choice = listOptions(options, environment, screen);
    return await withRepository(invocation, { lock: "shared" }, async (repository) => {
      const snapshots = await findSnapshots(repository, operands, signal, choice);
      await repository.loadIndex(signal);
      let damaged = choice.damagedIds.length;
      const stats = await countSnapshots(repository, snapshots, options.mode, signal, {
        damaged(path, error) {
          damaged += 1;
          screen.note(`${printedName(path)}: ${failureLine(error)}`);
        },
      });
      if (globals.json) screen.line(JSON.stringify(statsJson(stats)));
      else for (const line of statsLines(stats, options.mode)) screen.line(line);
      return damaged > 0 ? exitCodes.failed : exitCodes.done;
    });
  },
};

/** restic's names; what is 0 is left out. */
function statsJson(stats: SnapshotStats): object {
  return {
    total_size: stats.totalBytes,
    total_uncompressed_size: unlessZero(stats.uncompressedBytes),
    compression_ratio: unlessZero(stats.compressionRatio),
    compression_progress: unlessZero(stats.compressedPercent),
    compression_space_saving: unlessZero(stats.savedPercent),
    total_file_count: unlessZero(stats.files),
    total_blob_count: unlessZero(stats.blobs),
    snapshots_count: stats.snapshots,
  };
}

function statsLines(stats: SnapshotStats, mode: StatsMode): string[] {
  const rows: [string, string][] = [["Snapshots processed:", String(stats.snapshots)]];
  if (stats.blobs > 0) rows.push(["Total Blob Count:", String(stats.blobs)]);
  if (stats.files > 0) rows.push(["Total File Count:", String(stats.files)]);
  if (stats.uncompressedBytes > 0)
    rows.push(["Total Uncompressed Size:", formatBytes(stats.uncompressedBytes)]);
  rows.push(["Total Size:", formatBytes(stats.totalBytes)]);
  if (stats.compressedPercent > 0)
    rows.push(["Compression Progress:", `${stats.compressedPercent.toFixed(2)}%`]);
  if (stats.compressionRatio > 0)
    rows.push(["Compression Ratio:", `${stats.compressionRatio.toFixed(2)}x`]);
  if (stats.savedPercent > 0)
    rows.push(["Compression Space Saving:", `${stats.savedPercent.toFixed(2)}%`]);
  const shown = rows.map(([title, value]) => `${title.padStart(25)}  ${value}`);
  return [`Stats in ${mode} mode:`, ...shown];
}
