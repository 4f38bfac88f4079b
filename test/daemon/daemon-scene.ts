/** A real backstayd in a home of its own, with its policies, secrets, log and client. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { LocalClient } from "../../agent/local-client/local-client.ts";
import { localApiAddress } from "../../platform/local-api-address.ts";
import type { StatusReport } from "../../protocol/local-api/status.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import { backstayOn, type Outcome, type RepositoryProgram } from "../programs.ts";

const bin = fileURLToPath(new URL("../../agent/bin/", import.meta.url));
const waitMs = 60_000;
const never = new AbortController().signal;

export interface DaemonSceneOptions {
  /** Beyond what the daemon gets anyway; a private bus for example. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Another program than `agent/bin/backstayd`: arguments for the Node that runs the tests. */
  readonly program?: readonly string[];
  /** A file for what the daemon writes to its standard error; it then goes on when this process has ended. */
  readonly output?: string;
  /** Where the folders are made; the system's folder for temporary files if absent. */
  readonly parent?: string;
}

export class DaemonScene {
  readonly home: string;
  readonly environment: Record<string, string>;
  readonly client: LocalClient;
  readonly password = "correct horse battery staple";
  readonly #program: readonly string[] | undefined;
  readonly #output: string | undefined;
  #daemon: ChildProcess | undefined;
  #errors = "";

  constructor(options: DaemonSceneOptions = {}) {
    this.home = mkdtempSync(path.join(options.parent ?? tmpdir(), "backstayd-"));
    this.environment = {
      PATH: process.env["PATH"] ?? "",
      TZ: "UTC",
      // Nothing of the machine's own bus reaches a test.
      DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${this.home}/no-bus`,
      ...options.environment,
      BACKSTAY_HOME: this.home,
    };
    this.client = new LocalClient(localApiAddress(this.environment));
    this.#program = options.program;
    this.#output = options.output;
    mkdirSync(this.at("config/policies"), { recursive: true, mode: 0o700 });
    mkdirSync(this.at("source"));
    writeFileSync(this.at("source/letter.txt"), "Dear all,\n");
  }

  at(name: string): string {
    return path.join(this.home, name);
  }

  get processId(): number {
    return this.#daemon?.pid ?? 0;
  }

  /** What the daemon wrote to its standard error so far. */
  get errors(): string {
    return this.#errors;
  }

  get repository(): RepositoryProgram {
    return backstayOn({ repository: this.at("repository"), password: this.password });
  }

  /** Puts the repository's password where the daemon finds it. */
  async storeSecret(name = "repository", secret: string = this.password): Promise<void> {
    const { exitCode, stderr } = await this.cli(["secret", "set", name], secret);
    if (exitCode !== 0) throw new Error(stderr);
  }

  /** Writes a policy file; `settings` are lines of YAML below what every policy needs. */
  writePolicy(name: string, settings: readonly string[] = [], repository = "repository"): void {
    const lines = [
      "version: 1",
      `name: ${name}`,
      `source: { paths: ["${this.at("source")}"] }`,
      `destination: { repository: "${this.at(repository)}" }`,
      "encryption: { password: { secret: repository } }",
      ...settings,
    ];
    writeFileSync(this.at(`config/policies/${name}.yaml`), `${lines.join("\n")}\n`);
  }

  /** Starts the daemon; resolves when it answers. */
  async start(): Promise<void> {
    const [command, ...args] = this.#program ?? [path.join(bin, "backstayd")];
    const errors = this.#output === undefined ? "pipe" : openSync(this.#output, "a");
    const daemon = spawn(command, args, {
      env: this.environment,
      stdio: ["ignore", "ignore", errors],
      detached: this.#output !== undefined,
    });
    if (typeof errors === "number") {
      closeSync(errors);
      daemon.unref();
    }
    daemon.stderr?.on("data", (piece: Buffer) => (this.#errors += piece.toString()));
    this.#daemon = daemon;
    await until("the daemon answers", async () => {
      if (hasEnded(daemon)) throw new Error(`the daemon ended: ${this.#errors}`);
      return (await this.client.status(never)).agent.processId === daemon.pid;
    });
  }

  /** Sends a signal and waits for the end; the exit code, or undefined if the signal ended it. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | undefined> {
    const daemon = this.#daemon;
    if (daemon === undefined) return undefined;
    const ended = new Promise((resolve) => daemon.once("exit", resolve));
    if (!hasEnded(daemon)) {
      daemon.kill(signal);
      await ended;
    }
    this.#daemon = undefined;
    return daemon.exitCode ?? undefined;
  }

  signal(signal: NodeJS.Signals): void {
    this.#daemon?.kill(signal);
  }

  async remove(): Promise<void> {
    await this.end("SIGKILL");
    // An engine that lost its daemon may still be storing what it has.
    await sleep(50);
    rmSync(this.home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  async status(): Promise<StatusReport> {
    return await this.client.status(never);
  }

  async sessions(policy?: string): Promise<readonly SessionRecord[]> {
    return await this.client.sessions(policy === undefined ? {} : { policy }, never);
  }

  /** Resolves with the newest session that has ended and that `isWanted`. */
  async session(
    isWanted: (session: SessionRecord) => boolean = () => true,
  ): Promise<SessionRecord> {
    let found: SessionRecord | undefined;
    await until("a session ends", async () => {
      const all = await this.sessions();
      found = all.find((session) => session.state === "finished" && isWanted(session));
      return found !== undefined;
    });
    if (found === undefined) throw new Error("unreachable");
    return found;
  }

  /** Runs a command of the user with this home. */
  async cli(args: readonly string[], input = ""): Promise<Outcome> {
    const child = spawn(path.join(bin, "backstay"), args, { env: this.environment });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (piece: Buffer) => (stdout += piece.toString()));
    child.stderr.on("data", (piece: Buffer) => (stderr += piece.toString()));
    child.stdin.end(input);
    const exitCode = await new Promise<number>((resolve) =>
      child.once("close", (code) => resolve(code ?? -1)),
    );
    return { exitCode, stdout, stderr };
  }

  /** Every line of the log's file. */
  log(): Record<string, unknown>[] {
    const text = readFileSync(this.at("state/log/backstayd.log"), "utf8");
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

/** Resolves when `check` answers true; what it throws meanwhile is told if it never does. */
export async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + waitMs;
  let problem: unknown;
  while (Date.now() < end) {
    try {
      if (await check()) return;
    } catch (error) {
      problem = error;
      if (error instanceof Error && /^the (?:daemon|server) ended/.test(error.message)) throw error;
    }
    await sleep(25);
  }
  throw new Error(`not within ${waitMs / 1000} s: ${what}`, { cause: problem });
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
