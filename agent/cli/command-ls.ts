/** `backstay ls`: lists what is in a snapshot. */
import { Option } from "commander";
import { argumentBytes } from "../../platform/process-arguments.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { utf8Bytes } from "../repository/json/utf8.ts";
import type { Repository } from "../repository/repository.ts";
import {
  findSnapshot,
  type NamedSnapshot,
  shortIdLength,
  splitSnapshotPath,
} from "../repository/snapshot/snapshot-finder.ts";
import type { Node, NodeTime } from "../repository/tree/node.ts";
import { findDirectory, findNode, pathComponents } from "../repository/walk/tree-lookup.ts";
import { walkTree } from "../repository/walk/tree-walker.ts";
import { addExamples, type CliCommand, exitCodes, type Invocation } from "./command.ts";
import { failureLine } from "./error-report.ts";
import { entryLine, lsJson } from "./node-text.ts";
import { printedName } from "./printed-text.ts";
import { formatLocalTime } from "./quantities.ts";
import { withRepository } from "./repository-session.ts";
import { snapshotJson } from "./snapshot-json.ts";
import { addSnapshotOptions, listOptions, type SnapshotOptions } from "./snapshot-options.ts";

const slash = Buffer.from("/");
const sortKeys = ["name", "size", "time", "mtime", "atime", "ctime", "extension"] as const;

interface LsOptions extends SnapshotOptions {
  readonly long?: boolean;
  readonly recursive?: boolean;
  readonly humanReadable?: boolean;
  readonly sort?: (typeof sortKeys)[number];
  readonly reverse?: boolean;
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
      .option("--reverse", "with the last entry first");
    addSnapshotOptions(command, " with `latest`");
    addExamples(command, [
      "backstay ls latest",
      "backstay ls latest /srv/data --long",
      "backstay ls 79766175 --json | jq .path",
    ]);
  },

  async run(invocation) {
    const { operands, options, environment, screen, signal, globals } = invocation;
    const [text, ...texts] = operands;
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
      if (globals.json)
        screen.line(snapshotJson(named, ',"message_type":"snapshot","struct_type":"snapshot"'));
      else if (!globals.quiet) screen.note(headline(named, texts));
      return await listEntries(invocation, repository, root, folders);
    });
  },
};

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

/** Lists the entries below `root`: all, or what is in `folders`. Resolves with the exit code. */
async function listEntries(
  { options, screen, signal, globals }: Invocation<LsOptions>,
  repository: Repository,
  root: Uint8Array,
  folders: readonly (readonly Uint8Array[])[],
): Promise<number> {
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
        if (isShown) {
          const path = position.path();
          const text = textOf(node, path);
          if (sorter === undefined) screen.print(text);
          else sorter.add(node, path, text);
        }
        const goesOn = inside.isOnTheWay || inside.isTarget || (isShown && recursive);
        if (node.type !== "dir" || !goesOn) return false;
        scopes.length = position.depth + 1;
        scopes.push(inside.deeper(isShown && recursive));
        return true;
      },
      damaged(error, position) {
        damaged += 1;
        screen.note(`${printedName(position.path())}: ${failureLine(error)}`);
      },
      settle: () => screen.settle(),
    },
    signal,
  );
  sorter?.printTo((text) => screen.print(text));
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

/** Holds all entries until the last one is known. */
class EntrySorter {
  readonly #key: (typeof sortKeys)[number];
  readonly #reverse: boolean;
  readonly #entries: {
    readonly path: Uint8Array;
    readonly size: number;
    readonly time: NodeTime;
    readonly text: string | Uint8Array;
  }[] = [];

  constructor(key: (typeof sortKeys)[number], reverse: boolean) {
    this.#key = key;
    this.#reverse = reverse;
  }

  add(node: Node, path: Uint8Array, text: string | Uint8Array): void {
    const time =
      this.#key === "atime" ? node.atime : this.#key === "ctime" ? node.ctime : node.mtime;
    this.#entries.push({ path, size: node.size, time, text });
  }

  printTo(print: (text: string | Uint8Array) => void): void {
    const compareKeys = this.#comparison();
    const sign = this.#reverse ? -1 : 1;
    this.#entries.sort((a, b) => sign * (compareKeys(a, b) || Buffer.compare(a.path, b.path)));
    for (const { text } of this.#entries) print(text);
  }

  #comparison(): (
    a: { path: Uint8Array; size: number; time: NodeTime },
    b: { path: Uint8Array; size: number; time: NodeTime },
  ) => number {
    switch (this.#key) {
      case "name":
        return () => 0;
      case "size":
        return (a, b) => a.size - b.size;
      case "extension":
        return (a, b) => Buffer.compare(extensionOf(a.path), extensionOf(b.path));
      case "time":
      case "mtime":
      case "atime":
      case "ctime":
        return (a, b) => a.time.seconds - b.time.seconds || a.time.nanoseconds - b.time.nanoseconds;
      default:
        return this.#key satisfies never;
    }
  }
}

function extensionOf(path: Uint8Array): Uint8Array {
  const name = path.subarray(path.lastIndexOf(0x2f) + 1);
  const dot = name.lastIndexOf(0x2e);
  return dot < 0 ? utf8Bytes("") : name.subarray(dot);
}
