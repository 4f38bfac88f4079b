/**
 * `npm run demo [FOLDER] [-- --keep] [-- --s3]`: backs a folder up into a new repository, again, checks, restores it and compares
 * source and restore entry by entry, all through the real program. Then a management server has an agent do the same:
 * server-demo.ts. Without FOLDER it takes a library of this checkout; with --s3 all of it goes to an S3 server that it starts.
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
import { DemoS3 } from "./demo-s3.ts";
import { ServerDemo } from "./server-demo.ts";
import { Story } from "./story.ts";

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

/** Real files of every checkout, some two thousand: all of it would take minutes. */
const usualSource = path.join(checkout, "node_modules/@aws-sdk");

async function runDemo(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      keep: { type: "boolean", default: false },
      s3: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  const source = path.resolve(positionals[0] ?? usualSource);
  if (positionals.length > 1 || !existsSync(source)) {
    console.error(
      `Usage: npm run demo [FOLDER] [-- --keep] [-- --s3]; there must be a folder ${source}`,
    );
    return 1;
  }
  const places = makePlaces(source);
  let demo: Demo | undefined;
  let s3: DemoS3 | undefined;
  let isDone = false;
  const cleanUp = async (): Promise<void> => {
    if (values.keep && isDone) return;
    await demo?.end();
    await s3?.stop();
    rmSync(places.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  };
  for (const [signal, exitCode] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)
    process.once(signal, () => void cleanUp().finally(() => process.exit(exitCode)));
  try {
    if (values.s3) s3 = await DemoS3.start(places.folder);
    demo = new Demo(places, values.keep, s3);
    const exitCode = await demo.run();
    isDone = true;
    return exitCode;
  } catch (error) {
    console.error(`The demo failed: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    await cleanUp();
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
  readonly #keep: boolean;
  readonly #s3: DemoS3 | undefined;
  readonly #repository: string;
  readonly #story = new Story();
  #demo: ServerDemo | undefined;

  constructor(places: Places, keep: boolean, s3: DemoS3 | undefined) {
    this.#places = places;
    this.#keep = keep;
    this.#s3 = s3;
    const { repository, cache, passwordFile } = places;
    this.#repository = s3 === undefined ? repository : `${s3.address}/alone`;
    this.#backstay = backstayOn({
      repository: this.#repository,
      cache,
      password: "",
      environment: { ...s3?.environment, BACKSTAY_PASSWORD_FILE: passwordFile },
    });
  }

  async run(): Promise<number> {
    const { source, restored } = this.#places;
    const where = this.#s3 === undefined ? "" : ` at ${this.#s3.name}`;
    console.log(
      `Backstay backs up ${source}\ninto a new repository, ${this.#repository}${where}\n`,
    );
    await this.#story.step("create the repository", "backstay init", async () => {
      const { id } = await this.#backstay.message("initialized", "init");
      return `repository ${String(id).slice(0, 10)}`;
    });
    const backupArgs = ["backup", source, ...this.#excludes()];
    const startedMs = Date.now();
    const first = await this.#backUp("back up everything", backupArgs);
    const second = await this.#backUp("back up again, with nothing changed", backupArgs);
    await this.#showSizes(first);
    await this.#story.step("check every stored byte", "backstay check --read-data", async () => {
      const { packs_read, bytes_read } = await this.#backstay.message(
        "summary",
        "check",
        "--read-data",
      );
      return `${number(packs_read)} packs, ${size(bytes_read)} read and verified, no errors`;
    });
    await this.#restore(restored);
    let isSame = await this.#compare(startedMs, restored);
    this.#story.chapter("The same, with a management server:");
    isSame &&= await this.#withServer(startedMs);
    if (number(second["data_added"]) > number(first["data_added"]) / 10)
      console.log("note: the second backup stored much; the folder seems to change while we look");
    this.#tellHow();
    console.log(isSame ? `\nThe restore in ${restored} was the same as its source.` : "\nFAILED");
    return isSame ? 0 : 1;
  }

  async #backUp(title: string, args: readonly string[]): Promise<Message> {
    let summary: Message = {};
    await this.#story.step(title, `backstay backup ${this.#places.source}`, async () => {
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
    await this.#story.step("see what it takes", "backstay stats --mode raw-data", async () => {
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

  /** The same work, as a server has it done. What is left running at the end is told by `howToGoOn`. */
  async #withServer(startedMs: number): Promise<boolean> {
    const { source, folder } = this.#places;
    const restored = path.join(folder, "restored-by-policy");
    const exclude = this.#excludes().slice(1);
    const places = { source, folder, restored, exclude, keep: this.#keep, s3: this.#s3 };
    const demo = await ServerDemo.prepare(places, this.#story);
    this.#demo = demo;
    await demo.run();
    return await this.#compare(startedMs, restored);
  }

  /** Ends every process that was started. */
  async end(): Promise<void> {
    await this.#demo?.remove();
  }

  async #restore(target: string): Promise<void> {
    const args = ["restore", "latest", "--target", target];
    await this.#story.step("restore it", `backstay ${args.join(" ")}`, async () => {
      const summary = await this.#backstay.message("summary", ...args);
      return `${number(summary["files_restored"])} files and folders, ${size(summary["bytes_restored"])}`;
    });
  }

  async #compare(startedMs: number, target: string): Promise<boolean> {
    const { source } = this.#places;
    let comparison: TreeComparison | undefined;
    await this.#story.step("compare source and restore, entry by entry", [], async () => {
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

  #tellHow(): void {
    const { passwordFile } = this.#places;
    console.log("");
    if (!this.#keep) {
      console.log("To have all of it left up, run it as `npm run demo -- --keep`.");
      return;
    }
    console.log(`Server and agent go on. In ${checkout}:`);
    const account = Object.entries(this.#s3?.environment ?? {}).map((pair) => pair.join("="));
    const alone = [
      ...(account.length > 0 ? [`export ${account.join(" ")}`] : []),
      `export BACKSTAY_REPOSITORY=${this.#repository} BACKSTAY_PASSWORD_FILE=${passwordFile}`,
      "agent/bin/backstay snapshots               # of the first part, without server and agent",
    ];
    for (const line of [...alone, ...(this.#demo?.howToGoOn() ?? [])]) console.log(`  ${line}`);
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

process.exit(await runDemo());
