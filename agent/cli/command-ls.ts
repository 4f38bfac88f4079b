/** `backstay ls`: lists what is in a snapshot. */
import { Option } from "commander";
import { argumentBytes } from "../../platform/process-arguments.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { utf8Text } from "../repository/json/utf8.ts";
import type { Repository } from "../repository/repository.ts";
import { encodeSnapshot } from "../repository/snapshot/snapshot-codec.ts";
import {
  findSnapshot,
  type NamedSnapshot,
  shortIdLength,
  splitSnapshotPath,
} from "../repository/snapshot/snapshot-finder.ts";
import type { Node } from "../repository/tree/node.ts";
import { findDirectory, findNode, pathComponents } from "../repository/walk/tree-lookup.ts";
import { type TreePosition, walkTree } from "../repository/walk/tree-walker.ts";
import { addExamples, type CliCommand, exitCodes, type Invocation } from "./command.ts";
import { EntrySorter, type SortKey, sortKeys } from "./entry-sorter.ts";
import { failureLine } from "./error-report.ts";
import { NcduListing } from "./ncdu-listing.ts";
import { entryLine, lsJson } from "./node-text.ts";
import { printedName } from "./printed-text.ts";
import { formatLocalTime } from "./quantities.ts";
import { withRepository } from "./repository-session.ts";
import { snapshotJson } from "./snapshot-json.ts";
import { addSnapshotOptions, listOptions, type SnapshotOptions } from "./snapshot-options.ts";

const slash = Buffer.from("/");

interface LsOptions extends SnapshotOptions {
  readonly long?: boolean;
  readonly recursive?: boolean;
  readonly humanReadable?: boolean;
  readonly sort?: SortKey;
  readonly reverse?: boolean;
  readonly ncdu?: boolean;
}

export const lsCommand: CliCommand<LsOptions> = {
  define(command) {
    command
      .argument("<snapshot>", "id, `latest`, or one of them with :PATH")
      .argument("[paths...]", "folders to list, from the root of the snapshot; all of it if none")
      .option("-l, --long", "show modes, owners, sizes and times")
      .option("--recursive", "with paths: also what lies deeper in them")
      .option("--human-readable", "with --long: sizes with units")
      .addOption(new Option("-s, --sort <key>", "sort all entries").choices([...sortKeys]))
      .option("--reverse", "with the last entry first")
      .option("--ncdu", "print what `ncdu -f -` reads, to browse the snapshot by size");
    addSnapshotOptions(command, " with `latest`");
    addExamples(command, [
      "backstay ls latest",
      "backstay ls latest /srv/data --long",
      "backstay ls 79766175 --json | jq .path",
      "backstay ls latest --ncdu | ncdu -f -",
    ]);
  },

  async run(invocation) {
    const { operands, options, environment, screen, signal, globals } = invocation;
    const [text, ...texts] = operands;
    refuseContradictions(options, globals.json);
    const { name, path } = splitSnapshotPath(text);
    const folders = texts.map((folder) => pathComponents(absolute(folder)));
    const choice = listOptions(options, environment, screen);
    return await withRepository(invocation, { lock: "shared" }, async (repository) => {
      const named = await findSnapshot(repository, name, signal, choice);
      await repository.loadIndex(signal);
      const root = await findDirectory(
        repository,
        named.snapshot.tree,
        argumentBytes(path),
        signal,
      );
      for (const folder of folders) {
        const folderPath = Buffer.concat(folder.flatMap((part) => [slash, part]));
        await findNode(repository, root, folderPath, signal);
      }
      const shown = { repository, root, folders };
      if (options.ncdu === true) return await exportForNcdu(invocation, named, shown);
      if (globals.json)
        screen.line(snapshotJson(named, ',"message_type":"snapshot","struct_type":"snapshot"'));
      else if (!globals.quiet) screen.note(headline(named, texts));
      return await listEntries(invocation, shown);
    });
  },
};

function refuseContradictions({ ncdu, sort, reverse }: LsOptions, json: boolean): void {
  const refuse = (other: string): never => {
    throw new BackstayError("USAGE", {
      command: "ls",
      problem: `--ncdu and ${other} exclude each other`,
    });
  };
  if (ncdu !== true) return;
  if (json) refuse("--json");
  if (sort !== undefined) refuse("--sort");
  if (reverse === true) refuse("--reverse");
}

function absolute(folder: string): Uint8Array {
  if (!folder.startsWith("/"))
    throw new BackstayError("USAGE", {
      path: folder,
      problem: "paths inside a snapshot begin with /",
    });
  return argumentBytes(folder);
}

function headline({ id, snapshot }: NamedSnapshot, folders: readonly string[]): string {
  const paths = snapshot.paths.map(printedName).join(", ");
  const where = folders.length === 0 ? "" : `, in ${folders.map(printedName).join(", ")}`;
  const who = `${printedName(snapshot.username)}@${printedName(snapshot.hostname)}`;
  const when = formatLocalTime(snapshot.time.seconds);
  return `snapshot ${id.slice(0, shortIdLength)} of [${paths}] at ${when} by ${who}${where}:`;
}

/** What of a snapshot is listed: all below the tree `root`, or what is in `folders`, as components of their paths. */
interface Shown {
  readonly repository: Repository;
  readonly root: Uint8Array;
  readonly folders: readonly (readonly Uint8Array[])[];
}

/** Lists entries line by line. Resolves with the exit code. */
async function listEntries(invocation: Invocation<LsOptions>, shown: Shown): Promise<number> {
  const { options, screen, globals } = invocation;
  const style = {
    long: options.long === true,
    humanReadable: options.humanReadable === true,
    safe: screen.isTerminal,
  };
  const textOf = (node: Node, path: Uint8Array): string | Uint8Array =>
    globals.json ? `${lsJson(node, path)}\n` : entryLine(node, path, style);
  const sorter =
    options.sort === undefined && options.reverse !== true
      ? undefined
      : new EntrySorter(options.sort ?? "name", options.reverse === true);
  const exitCode = await walkShown(invocation, shown, {
    entry: (node, position, isWanted) => {
      if (!isWanted) return;
      const path = position.path();
      const text = textOf(node, path);
      if (sorter === undefined) screen.print(text);
      else sorter.add(node, path, text);
    },
  });
  sorter?.printTo((text) => screen.print(text));
  return exitCode;
}

/** Folders on the way to what is wanted are part of it: ncdu knows no paths. */
async function exportForNcdu(
  invocation: Invocation<LsOptions>,
  named: NamedSnapshot,
  shown: Shown,
): Promise<number> {
  const { screen } = invocation;
  const snapshot = utf8Text(encodeSnapshot(named.snapshot));
  const listing = new NcduListing(snapshot, (text) => screen.print(text));
  const exitCode = await walkShown(invocation, shown, {
    entry: (node) => listing.add(node),
    leave: () => listing.leave(),
  });
  listing.end();
  return exitCode;
}

interface ShownVisitor {
  /** Told of each entry that is wanted, and of each folder on the way to one that is. */
  entry(node: Node, position: TreePosition, isWanted: boolean): void;
  /** Told after each folder, also after one that is not gone into. */
  leave?(): void;
}

/** Resolves with the exit code; damaged folders are told and passed over. */
async function walkShown(
  { options, screen, signal }: Invocation<LsOptions>,
  { repository, root, folders }: Shown,
  visitor: ShownVisitor,
): Promise<number> {
  let damaged = 0;
  const recursive = options.recursive === true || folders.length === 0;
  const scopes = [new FolderScope(folders, 0)];
  await walkTree(
    repository,
    root,
    {
      node(node, position) {
        const scope = scopes[position.depth];
        const inside = scope.enter(node.name);
        const isShown = scope.isInside || inside.isTarget;
        const goesOn = inside.isOnTheWay || inside.isTarget || (isShown && recursive);
        const isEntered = node.type === "dir" && goesOn;
        if (isShown || isEntered) visitor.entry(node, position, isShown);
        if (isEntered) {
          scopes.length = position.depth + 1;
          scopes.push(inside.deeper(isShown && recursive));
        } else if (isShown && node.type === "dir") visitor.leave?.();
        return isEntered;
      },
      leave: () => visitor.leave?.(),
      damaged(error, position) {
        damaged += 1;
        screen.note(`${printedName(position.path())}: ${failureLine(error)}`);
      },
      settle: () => screen.settle(),
    },
    signal,
  );
  return damaged > 0 ? exitCodes.failed : exitCodes.done;
}

/** Which of the wanted folders a directory is in, or on the way to. */
class FolderScope {
  /** The entries of this directory are listed. */
  readonly isInside: boolean;
  /** This directory is one of the wanted folders. */
  readonly isTarget: boolean;
  /** A wanted folder lies deeper. */
  readonly isOnTheWay: boolean;
  readonly #folders: readonly (readonly Uint8Array[])[];
  readonly #depth: number;

  /** `folders` are those whose first `depth` components lead here. */
  constructor(folders: readonly (readonly Uint8Array[])[], depth: number, isInside?: boolean) {
    this.#folders = folders;
    this.#depth = depth;
    this.isTarget = folders.some((folder) => folder.length === depth);
    this.isOnTheWay = folders.some((folder) => folder.length > depth);
    this.isInside = isInside ?? (depth === 0 && (folders.length === 0 || this.isTarget));
  }

  /** The scope of an entry of this directory. */
  enter(name: Uint8Array): FolderScope {
    const folders = this.#folders.filter(
      (folder) => folder.length > this.#depth && Buffer.compare(folder[this.#depth], name) === 0,
    );
    return new FolderScope(folders, this.#depth + 1, false);
  }

  /** The same directory, with its entries listed if it is wanted or everything below is. */
  deeper(everything: boolean): FolderScope {
    return new FolderScope(this.#folders, this.#depth, this.isTarget || everything);
  }
}
