/** `backstay dump`: writes a file of a snapshot, or a folder as tar, to stdout. */
import { argumentBytes } from "../../platform/process-arguments.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { findSnapshot, splitSnapshotPath } from "../repository/snapshot/snapshot-finder.ts";
import { findDirectory, findNode } from "../repository/walk/tree-lookup.ts";
import { dumpPath } from "../restore/dump/dump.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { printedMessage, printedName } from "./printed-text.ts";
import { withRepository } from "./repository-session.ts";
import { addSnapshotOptions, listOptions, type SnapshotOptions } from "./snapshot-options.ts";

export const dumpCommand: CliCommand<SnapshotOptions> = {
  define(command) {
    command
      .argument("<snapshot>", "id, `latest`, or one of them with :PATH")
      .argument("[path]", "file or folder, from the root of the snapshot or from :PATH");
    addSnapshotOptions(command, " with `latest`");
    addExamples(command, [
      "backstay dump latest /etc/fstab",
      "backstay dump latest /srv/data > data.tar",
      "backstay dump latest /backup/db.sql | psql shop",
    ]);
  },

  async run(invocation) {
    const { operands, options, environment, screen, signal } = invocation;
    const { name, path: part } = splitSnapshotPath(operands[0]);
    const [, given] = operands;
    if (given === undefined && part === "")
      throw new BackstayError("USAGE", {
        command: "dump",
        problem: "say which file or folder; `/` is all of the snapshot",
      });
    const choice = listOptions(options, environment, screen);
    return await withRepository(invocation, { lock: "shared" }, async (repository) => {
      const { snapshot } = await findSnapshot(repository, name, signal, choice);
      await repository.loadIndex(signal);
      const base = given === undefined ? "" : part;
      const tree = await findDirectory(repository, snapshot.tree, argumentBytes(base), signal);
      const path = argumentBytes(given ?? part);
      if (screen.isTerminal && (await findNode(repository, tree, path, signal))?.type !== "file")
        throw new BackstayError("USAGE", {
          command: "dump",
          problem:
            "a folder becomes a tar archive, which no terminal can show; redirect the output",
        });
      let errors = 0;
      await dumpPath({
        repository,
        tree,
        path,
        write: async (bytes) => {
          screen.print(bytes);
          await screen.settle();
        },
        onIssue: ({ severity, path: place, text }) => {
          if (severity === "error") errors += 1;
          screen.note(`${severity}: ${printedName(place)}: ${printedMessage(text)}`);
        },
        signal,
      });
      if (errors > 0) throw new BackstayError("RESTORE_INCOMPLETE", { errors });
      return exitCodes.done;
    });
  },
};
