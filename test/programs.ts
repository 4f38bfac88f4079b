/** Runs Backstay and its peers on a repository, as a user's shell would: arguments and environment in, exit code and output out. */
import { spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const backstayProgram = fileURLToPath(new URL("../agent/bin/backstay", import.meta.url));

/** What a process left behind. */
export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One line of `--json`. */
export type Message = Readonly<Record<string, unknown>>;

export interface ProgramOptions {
  readonly repository: string;
  readonly password: string;
  /** Folder for caches; none are kept if it is absent. */
  readonly cache?: string;
  /** Beyond what every program gets. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A program that works on one repository. Times are UTC, so that trees of restic are comparable with ours. */
export class RepositoryProgram {
  readonly #program: string;
  readonly #options: ProgramOptions;

  constructor(program: string, options: ProgramOptions) {
    this.#program = program;
    this.#options = options;
  }

  /** The same program on another repository, with another password or environment. */
  with(changes: Partial<ProgramOptions>): RepositoryProgram {
    return new RepositoryProgram(this.#program, { ...this.#options, ...changes });
  }

  /** Resolves whatever the exit code is. */
  async run(...args: readonly string[]): Promise<Outcome> {
    const { repository, cache } = this.#options;
    const places = cache === undefined ? ["--no-cache"] : ["--cache-dir", cache];
    return await runProgram(this.#program, ["--repo", repository, ...places, ...args], {
      ...this.#environment(),
    });
  }

  /** Standard output of a run that succeeds; rejects with all output if the exit code is not 0. */
  async output(...args: readonly string[]): Promise<string> {
    return (await this.succeed(...args)).stdout;
  }

  /** As `output`, with both outputs. */
  async succeed(...args: readonly string[]): Promise<Outcome> {
    const outcome = await this.run(...args);
    if (outcome.exitCode !== 0) throw new Error(describeOutcome([this.#program, ...args], outcome));
    return outcome;
  }

  /** The messages of a run with `--json` that succeeds: one a line, or the elements of one list. */
  async messages(...args: readonly string[]): Promise<Message[]> {
    const text = (await this.output("--json", ...args)).trim();
    if (text.startsWith("[")) return JSON.parse(text) as Message[];
    return text.split("\n").flatMap((line) => {
      return line.startsWith("{") ? [JSON.parse(line) as Message] : [];
    });
  }

  /** The message of that type; rejects if there is none. */
  async message(type: string, ...args: readonly string[]): Promise<Message> {
    const messages = await this.messages(...args);
    const found = messages.findLast((message) => message["message_type"] === type);
    if (found === undefined) throw new Error(`no ${type} in ${JSON.stringify(messages)}`);
    return found;
  }

  #environment(): Record<string, string> {
    const { password, environment } = this.#options;
    return {
      PATH: process.env["PATH"] ?? "",
      HOME: process.env["HOME"] ?? "/",
      TMPDIR: process.env["TMPDIR"] ?? "/tmp",
      TZ: "UTC",
      RESTIC_PASSWORD: password,
      BACKSTAY_PASSWORD: password,
      ...environment,
    };
  }
}

/** Backstay itself, from this checkout. */
export function backstayOn(options: ProgramOptions): RepositoryProgram {
  return new RepositoryProgram(backstayProgram, options);
}

/** A peer, by the path that test/peers.ts found. */
export function resticOn(restic: string, options: ProgramOptions): RepositoryProgram {
  return new RepositoryProgram(restic, options);
}

/** Runs a program to its end. Rejects only if it can't be started. */
export function runProgram(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (bytes: Buffer) => stdout.push(bytes));
    child.stderr.on("data", (bytes: Buffer) => stderr.push(bytes));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      resolve({
        exitCode: code ?? -1,
        stdout: Buffer.concat(stdout).toString("utf8"),
        stderr: `${Buffer.concat(stderr).toString("utf8")}${signal === null ? "" : signal}`,
      });
    });
  });
}

function describeOutcome(words: readonly string[], { exitCode, stdout, stderr }: Outcome): string {
  const last = (text: string): string => text.slice(-4000);
  const command = [path.basename(words[0]), ...words.slice(1)].join(" ");
  return `${command}: exit code ${exitCode}\n${last(stderr)}\n${last(stdout)}`;
}
