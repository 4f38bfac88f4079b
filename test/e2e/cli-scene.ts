/** A folder with a small source and a repository of its own, for tests of the command line. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { LocalStore } from "../../storage/local/local-store.ts";
import { backstayOn, type RepositoryProgram } from "../programs.ts";
import { cheapenKey } from "../repository/cheap-key.ts";

export const backstayPath: string = fileURLToPath(
  new URL("../../agent/bin/backstay", import.meta.url),
);
export const password = "e2e password";

/** The end of a process, by code or by signal. */
export interface Ending {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class CliScene {
  /** Absolute; also the working directory of what `start` starts. */
  readonly folder: string;
  readonly source: string;
  readonly repository: string;
  readonly backstay: RepositoryProgram;
  /** Path of the program. */
  readonly backstayProgram: string = backstayPath;

  /** Makes the source; the repository is made by `init`. */
  constructor() {
    this.folder = mkdtempSync(path.join(tmpdir(), "backstay-cli-"));
    this.source = path.join(this.folder, "source");
    this.repository = path.join(this.folder, "repository");
    const cache = path.join(this.folder, "cache");
    this.backstay = backstayOn({ repository: this.repository, password, cache });
    mkdirSync(path.join(this.source, "docs", "deep"), { recursive: true });
    writeFileSync(path.join(this.source, "docs", "one.txt"), "one\n");
    writeFileSync(path.join(this.source, "docs", "deep", "two.TXT"), "two\n");
    writeFileSync(path.join(this.source, "big"), Buffer.alloc(300_000, "big "));
    writeFileSync(path.join(this.source, "empty"), "");
    writeFileSync(path.join(this.source, "new\nline"), "x");
    writeFileSync(Buffer.concat([Buffer.from(`${this.source}/byte`), Uint8Array.of(0xff)]), "y");
    symlinkSync("docs/one.txt", path.join(this.source, "link"));
  }

  /** Makes the repository; opening it costs little from then on. */
  async init(): Promise<void> {
    await this.backstay.succeed("init");
    await cheapenKey(new LocalStore(this.repository), password);
  }

  /** Backs the source up; resolves with the snapshot's id. */
  async backUp(...args: readonly string[]): Promise<string> {
    const summary = await this.backstay.message("summary", "backup", this.source, ...args);
    return String(summary["snapshot_id"]);
  }

  at(...names: readonly string[]): string {
    return path.join(this.folder, ...names);
  }

  /**
   * Starts the program in the folder of the scene with just these variables, and lets `handle` play with
   * it; resolves when it has ended. Standard input is a pipe.
   */
  async start(
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
    handle: (child: ReturnType<typeof spawnPiped>) => void = (child) => child.stdin.end(),
    program: string = backstayPath,
  ): Promise<Ending> {
    const variables = {
      PATH: process.env["PATH"] ?? "",
      BACKSTAY_HOME: this.at("home"),
      BACKSTAY_REPOSITORY: this.repository,
      ...environment,
    };
    const child = spawnPiped(program, args, this.folder, variables);
    const output = { stdout: "", stderr: "" };
    child.stdout.on("data", (data: Buffer) => (output.stdout += data.toString()));
    child.stderr.on("data", (data: Buffer) => (output.stderr += data.toString()));
    // A program that ends early leaves a pipe that nobody reads.
    child.stdin.on("error", () => undefined);
    handle(child);
    return await new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (exitCode, signal) => resolve({ exitCode, signal, ...output }));
    });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function spawnPiped(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Record<string, string>,
) {
  return spawn(program, args, { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
}
