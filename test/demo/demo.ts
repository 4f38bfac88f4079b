/**
 * `npm run demo [FOLDER] [-- --keep]`: backs a folder up into a new repository, again, lists, checks, restores it and
 * compares source and restore entry by entry, all through the real program. Then a daemon does the same by itself: by its
 * schedule, and when a screen is locked. Without FOLDER it takes this checkout.
 */
import { randomBytes } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { formatBytes } from "../../agent/cli/quantities.ts";
import { backstayOn, type Message, type RepositoryProgram } from "../programs.ts";
import {
  compareTrees,
  differenceLines,
  type TreeComparison,
  type TreeDifference,
} from "../tree-comparison.ts";
import { DaemonDemo } from "./daemon-demo.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
/** What the demo's own processes write while it runs. */
const ownCache = path.join(checkout, "node_modules", ".cache");

interface Places {
  readonly source: string;
  readonly folder: string;
  readonly repository: string;
  readonly passwordFile: string;
  readonly cache: string;
  readonly restored: string;
}

async function runDemo(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { keep: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const source = path.resolve(positionals[0] ?? checkout);
  if (positionals.length > 1 || !existsSync(source)) {
    console.error(`Usage: npm run demo [FOLDER] [-- --keep]; there must be a folder ${source}`);
    return 1;
  }
  const places = makePlaces(source);
  const end = (signal: string): void => {
    if (!values.keep) rmSync(places.folder, { recursive: true, force: true });
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  try {
    return await new Demo(places).run(values.keep);
  } catch (error) {
    console.error(`The demo failed: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    if (!values.keep) rmSync(places.folder, { recursive: true, force: true });
  }
}

function makePlaces(source: string): Places {
  const folder = mkdtempSync(path.join(tmpdir(), "backstay-demo-"));
  const places = {
    source,
    folder,
    repository: path.join(folder, "repository"),
    passwordFile: path.join(folder, "password"),
    cache: path.join(folder, "cache"),
    restored: path.join(folder, "restored"),
  };
  writeFileSync(places.passwordFile, `${randomBytes(18).toString("base64url")}\n`, { mode: 0o600 });
  // Made now, so that the first start does not change a folder that is being backed up.
  if (isInside(ownCache, source)) mkdirSync(ownCache, { recursive: true });
  return places;
}

class Demo {
  readonly #places: Places;
  readonly #backstay: RepositoryProgram;
  #step = 0;

  constructor(places: Places) {
    this.#places = places;
    const { repository, cache, passwordFile } = places;
    this.#backstay = backstayOn({
      repository,
      cache,
      password: "",
      environment: { BACKSTAY_PASSWORD_FILE: passwordFile },
    });
  }

  async run(keep: boolean): Promise<number> {
    const { source, repository, restored } = this.#places;
    console.log(`Backstay backs up ${source}\ninto a new repository, ${repository}\n`);
    await this.#timed("create the repository", "init", async () => {
      const { id } = await this.#backstay.message("initialized", "init");
      return `repository ${String(id).slice(0, 10)}`;
    });
    const backupArgs = ["backup", source, ...this.#excludes()];
    const startedMs = Date.now();
    const first = await this.#backUp("back up everything", backupArgs);
    const second = await this.#backUp("back up again, with nothing changed", backupArgs);
    await this.#timed("list the snapshots", "snapshots", async () => {
      const snapshots = await this.#backstay.messages("snapshots");
      return `${snapshots.length} snapshots: ${snapshots.map((each) => each["short_id"]).join(", ")}`;
    });
    await this.#timed("look into the last one", "ls latest", async () => {
      const entries = (await this.#backstay.messages("ls", "latest")).filter(
        (message) => message["message_type"] === "node",
      );
      return `${entries.length} entries`;
    });
    await this.#showSizes(first);
    await this.#timed("check every stored byte", "check --read-data", async () => {
      const { packs_read, bytes_read } = await this.#backstay.message(
        "summary",
        "check",
        "--read-data",
      );
      return `${number(packs_read)} packs, ${size(bytes_read)} read and verified, no errors`;
    });
    await this.#restore(restored);
    let isSame = await this.#compare(startedMs, restored);
    isSame &&= await this.#withDaemon(startedMs);
    if (number(second["data_added"]) > number(first["data_added"]) / 10)
      console.log("note: the second backup stored much; the folder seems to change while we look");
    this.#tellHow(keep);
    console.log(isSame ? `\nThe restore in ${restored} was the same as its source.` : "\nFAILED");
    return isSame ? 0 : 1;
  }

  async #backUp(title: string, args: readonly string[]): Promise<Message> {
    let summary: Message = {};
    await this.#timed(title, `backup ${this.#places.source}`, async () => {
      // Files that can't be read are told and counted; the demo goes on without them.
      const { exitCode, stdout, stderr } = await this.#backstay.run("--json", ...args);
      const line = stdout.split("\n").find((text) => text.includes('"summary"'));
      if (line === undefined || (exitCode !== 0 && exitCode !== 3))
        throw new Error(`backup ended with ${exitCode}: ${stderr}`);
      summary = JSON.parse(line) as Message;
      const count = (field: string): number => number(summary[`files_${field}`]);
      const files = `${count("new")} new, ${count("changed")} changed, ${count("unmodified")} unchanged files`;
      const bytes = `${size(summary["total_bytes_processed"])} looked at, ${size(summary["bytes_read"])} read`;
      const stored = `${size(summary["data_added"])} new data stored in ${size(summary["data_added_packed"])}`;
      const unread = exitCode === 3 ? `\n${stderr.trim()}` : "";
      return `${files}\n${bytes}\n${stored}${unread}`;
    });
    return summary;
  }

  async #showSizes(first: Message): Promise<void> {
    await this.#timed("see what it takes", "stats --mode raw-data", async () => {
      const stats = JSON.parse(
        await this.#backstay.output("--json", "stats", "--mode", "raw-data"),
      ) as Message;
      const processed = number(first["total_bytes_processed"]);
      const unique = number(first["data_added"]);
      const stored = number(stats["total_size"]);
      const share = (part: number, whole: number): string =>
        whole === 0 ? "0 %" : `${((100 * part) / whole).toFixed(1)} %`;
      return [
        `${size(processed)} of files are ${size(unique)} of different data and folder lists,`,
        `stored in ${size(stored)} (${share(stored, processed)}), all snapshots together`,
      ].join("\n");
    });
  }

  /** The same work, done by a daemon: nobody asks for these runs. */
  async #withDaemon(startedMs: number): Promise<boolean> {
    const { source, repository, passwordFile, folder } = this.#places;
    const places = { source, repository, passwordFile, folder, exclude: this.#excludes().slice(1) };
    const daemon = await DaemonDemo.prepare(places);
    try {
      await this.#timed("start a daemon with a policy for the folder", undefined, () =>
        daemon.start(),
      );
      await this.#timed("wait for its schedule", undefined, () => daemon.runBySchedule());
      await this.#timed("lock a screen", undefined, () => daemon.runByEvent());
      await this.#timed("ask how it is", "status", () => daemon.status());
      await this.#timed("see what it did", "sessions", () => daemon.sessions());
      await this.#timed("end the daemon", undefined, () => daemon.end());
    } finally {
      await daemon.remove();
    }
    const target = path.join(folder, "restored-from-daemon");
    await this.#restore(target);
    return await this.#compare(startedMs, target);
  }

  async #restore(target: string): Promise<void> {
    const args = ["restore", "latest", "--target", target];
    await this.#timed("restore it", args.join(" "), async () => {
      const summary = await this.#backstay.message("summary", ...args);
      return `${number(summary["files_restored"])} files and folders, ${size(summary["bytes_restored"])}`;
    });
  }

  async #compare(startedMs: number, target: string): Promise<boolean> {
    const { source } = this.#places;
    let comparison: TreeComparison | undefined;
    await this.#timed("compare source and restore, entry by entry", undefined, async () => {
      comparison = compareTrees(source, path.join(target, source), {
        ignored: ["space"],
        isExpected: (difference) => this.#isExpected(difference, startedMs),
      });
      const { entries, bytes, differenceCount, expected } = comparison;
      const meanwhile = expected.filter(({ path: at }) => !this.#isExcluded(at));
      const lines = [
        `${entries} entries, ${size(bytes)}: types, modes, owners, times, sizes, links, attributes, content`,
        `${differenceCount} differences`,
        ...differenceLines(comparison),
      ];
      if (meanwhile.length > 0)
        lines.push(
          `${meanwhile.length} not counted: changed since, or of a kind that is not restored`,
        );
      return lines.join("\n");
    });
    return comparison?.differenceCount === 0;
  }

  /** Entries that changed after the backup began say nothing about it; sockets are never restored. */
  #isExpected({ path: at, field, left }: TreeDifference, startedMs: number): boolean {
    if (this.#isExcluded(at) || (field === "presence" && left === "socket")) return true;
    if (field === "owner" && process.getuid?.() !== 0) return true;
    try {
      return lstatSync(path.join(this.#places.source, at)).ctimeMs >= startedMs;
    } catch {
      // Not there any more, or its name is no text: only what is gone counts as changed.
      return field === "presence" && left === "-";
    }
  }

  #isExcluded(at: string): boolean {
    return isInside(path.join(this.#places.source, at), ownCache);
  }

  #excludes(): string[] {
    return isInside(ownCache, this.#places.source) ? ["--exclude", ownCache] : [];
  }

  async #timed(
    title: string,
    command: string | undefined,
    work: () => Promise<string>,
  ): Promise<void> {
    this.#step += 1;
    const start = performance.now();
    const result = await work();
    const seconds = ((performance.now() - start) / 1000).toFixed(2);
    console.log(`${String(this.#step).padStart(2)}. ${title}  (${seconds} s)`);
    if (command !== undefined) console.log(`    $ backstay ${command}`);
    for (const line of result.split("\n")) console.log(`      ${line}`);
  }

  #tellHow(keep: boolean): void {
    const { repository, passwordFile, folder } = this.#places;
    console.log("");
    if (!keep) {
      console.log("To go on by hand, run it as `npm run demo -- --keep`.");
      return;
    }
    console.log("To go on by hand:");
    console.log(
      `  export BACKSTAY_REPOSITORY=${repository} BACKSTAY_PASSWORD_FILE=${passwordFile}`,
    );
    console.log(`  ${path.join(checkout, "agent", "bin", "backstay")} snapshots`);
    console.log(`  ${path.join(checkout, "agent", "bin", "backstay")} help`);
    console.log(`Everything is in ${folder}; remove it when you are done.`);
  }
}

function isInside(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(`${outer}${path.sep}`);
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function size(value: unknown): string {
  return formatBytes(number(value));
}

process.exitCode = await runDemo();
