/** `backstay diff`: shows what differs between two snapshots. */
import { argumentBytes } from "../../platform/process-arguments.ts";
import { utf8Text } from "../repository/json/utf8.ts";
import type { Repository } from "../repository/repository.ts";
import {
  findSnapshot,
  shortIdLength,
  splitSnapshotPath,
} from "../repository/snapshot/snapshot-finder.ts";
import { findDirectory } from "../repository/walk/tree-lookup.ts";
import { addExamples, type CliCommand, exitCodes, type Invocation } from "./command.ts";
import { failureLine } from "./error-report.ts";
import { printedName } from "./printed-text.ts";
import { formatBytes } from "./quantities.ts";
import { withRepository } from "./repository-session.ts";
import { type DiffCounts, SnapshotDiff } from "./snapshot-diff.ts";
import { addSnapshotOptions, listOptions, type SnapshotOptions } from "./snapshot-options.ts";

interface DiffOptions extends SnapshotOptions {
  readonly metadata?: boolean;
}

interface Side {
  readonly id: string;
  /** The id with the path that was given. */
  readonly label: string;
  readonly tree: Uint8Array;
}

export const diffCommand: CliCommand<DiffOptions> = {
  define(command) {
    command
      .argument("<before>", "id, `latest`, `latest~1`, or one of them with :PATH")
      .argument("<after>", "the same")
      .option("--metadata", "also show entries of which only metadata differs");
    addSnapshotOptions(command, " with `latest`");
    command.addHelpText(
      "after",
      [
        "",
        "Letters before a path: + added, - removed, M content changed, T type changed,",
        "U only metadata changed, ? content changed though all metadata is the same.",
      ].join("\n"),
    );
    addExamples(command, [
      "backstay diff latest~1 latest",
      "backstay diff 79766175:/srv 590c8fc8:/srv --metadata",
    ]);
  },

  async run(invocation) {
    const { operands, options, environment, screen, signal, globals } = invocation;
    const choice = listOptions(options, environment, screen);
    return await withRepository(invocation, { lock: "shared" }, async (repository) => {
      const names = operands.map((text) => splitSnapshotPath(text));
      const found = [
        await findSnapshot(repository, names[0].name, signal, choice),
        await findSnapshot(repository, names[1].name, signal, choice),
      ];
      await repository.loadIndex(signal);
      const sides: Side[] = [];
      for (const [index, { id, snapshot }] of found.entries()) {
        const { path } = names[index];
        const label = path === "" ? id : `${id}:${path}`;
        const folder = argumentBytes(path);
        const tree = await findDirectory(repository, snapshot.tree, folder, signal);
        sides.push({ id, label, tree });
      }
      const [before, after] = sides;
      if (!globals.json && !globals.quiet) {
        const [first, second] = sides.map(({ id }) => id.slice(0, shortIdLength));
        screen.line(`comparing snapshot ${first} to ${second}:\n`);
      }
      return await compare(invocation, repository, before, after);
    });
  },
};

async function compare(
  { options, screen, signal, globals }: Invocation<DiffOptions>,
  repository: Repository,
  before: Side,
  after: Side,
): Promise<number> {
  let problems = 0;
  const diff = new SnapshotDiff(repository, {
    metadata: options.metadata === true,
    change(modifier, path) {
      if (globals.json) {
        const message = { message_type: "change", path: utf8Text(path), modifier };
        screen.line(JSON.stringify(message));
      } else if (!globals.quiet) {
        const text = screen.isTerminal ? Buffer.from(printedName(path)) : path;
        screen.print(Buffer.concat([Buffer.from(modifier.padEnd(5)), text, Buffer.from("\n")]));
      }
    },
    damaged(path, error) {
      problems += 1;
      screen.note(`${printedName(path)}: ${failureLine(error)}`);
    },
    settle: () => screen.settle(),
  });
  const { changedFiles, added, removed } = await diff.run(before.tree, after.tree, signal);
  if (globals.json)
    screen.line(
      JSON.stringify({
        message_type: "statistics",
        source_snapshot: before.label,
        target_snapshot: after.label,
        changed_files: changedFiles,
        added: countsJson(added),
        removed: countsJson(removed),
      }),
    );
  else showCounts(screen.line.bind(screen), changedFiles, added, removed);
  return problems > 0 ? exitCodes.failed : exitCodes.done;
}

function countsJson(counts: DiffCounts): object {
  return {
    files: counts.files,
    dirs: counts.dirs,
    others: counts.others,
    data_blobs: counts.dataBlobs,
    tree_blobs: counts.treeBlobs,
    bytes: counts.bytes,
  };
}

function showCounts(
  line: (text: string) => void,
  changedFiles: number,
  added: DiffCounts,
  removed: DiffCounts,
): void {
  const five = (value: number): string => String(value).padStart(5);
  const row = (title: string, key: Exclude<keyof DiffCounts, "bytes">, more = ""): void =>
    line(`${title.padEnd(12)} ${five(added[key])} new, ${five(removed[key])} removed${more}`);
  line("");
  row("Files:", "files", `, ${five(changedFiles)} changed`);
  row("Dirs:", "dirs");
  row("Others:", "others");
  row("Data Blobs:", "dataBlobs");
  row("Tree Blobs:", "treeBlobs");
  line(`  Added:   ${formatBytes(added.bytes)}`);
  line(`  Removed: ${formatBytes(removed.bytes)}`);
}
