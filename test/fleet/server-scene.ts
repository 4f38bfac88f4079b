/** One or more real backstay-servers: started, killed, started again, on SQLite or on one PostgreSQL. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ManagementClient, type ServerAccess } from "../../server/cli/management-client.ts";
import { until } from "../daemon/daemon-scene.ts";
import type { Outcome } from "../programs.ts";

export const serverProgram: string = fileURLToPath(
  new URL("../../server/bin/backstay-server", import.meta.url),
);
/** Arguments of `serve`: each played machine says which address it has, as a proxy would. */
export const believesMachines = ["--trusted-proxy", "127.0.0.1"];
const never = new AbortController().signal;

export interface ServerSceneOptions {
  /** Where the folders are made; the system's folder for temporary files if absent. */
  readonly parent?: string;
  /** `postgres://…`; SQLite in the server's folder if absent. */
  readonly database?: string;
  /** Servers beside each other; more than one needs PostgreSQL. */
  readonly replicas?: number;
  /** Further arguments of `serve`. */
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** A file for what they print; they then go on when this process has ended. */
  readonly output?: string;
}

interface Replica {
  readonly data: string;
  readonly port: number;
  process: ChildProcess | undefined;
}

export class ServerScene {
  /** Holds the folders of all of them. */
  readonly folder: string;
  readonly #options: ServerSceneOptions;
  readonly #replicas: Replica[] = [];
  readonly #clients = new Map<number, ManagementClient>();
  #errors = "";

  private constructor(options: ServerSceneOptions) {
    this.#options = options;
    this.folder = mkdtempSync(path.join(options.parent ?? tmpdir(), "backstay-server-"));
  }

  /** Starts all of them. The further ones have the first one's master key. */
  static async start(options: ServerSceneOptions = {}): Promise<ServerScene> {
    const scene = new ServerScene(options);
    try {
      for (let at = 0; at < (options.replicas ?? 1); at += 1) {
        const data = path.join(scene.folder, `server-${at + 1}`);
        mkdirSync(data, { mode: 0o700 });
        scene.#replicas.push({ data, port: await freePort(), process: undefined });
      }
      for (const at of scene.#replicas.keys()) await scene.startReplica(at);
      return scene;
    } catch (error) {
      await scene.remove();
      throw error;
    }
  }

  /** `--data` of a replica. */
  data(at = 0): string {
    return this.#replicas[at].data;
  }

  get count(): number {
    return this.#replicas.length;
  }

  /** Number of one that runs; 0 if none does. */
  get firstRunning(): number {
    return Math.max(
      0,
      this.#replicas.findIndex(({ process: child }) => child !== undefined),
    );
  }

  /** Of the replicas that run. */
  get processIds(): number[] {
    return this.#replicas.flatMap(({ process: child }) => child?.pid ?? []);
  }

  url(at = 0): string {
    return `https://127.0.0.1:${this.#replicas[at].port}`;
  }

  get urls(): string[] {
    return this.#replicas.map((_, at) => this.url(at));
  }

  /** How the management API of a replica is reached, as its command line finds it. */
  access(at = 0): ServerAccess & { readonly pin: string } {
    const file = path.join(this.data(at), "local-access.json");
    return JSON.parse(readFileSync(file, "utf8")) as ServerAccess & { readonly pin: string };
  }

  /** The management API with all rights. */
  client(at = 0): ManagementClient {
    const known = this.#clients.get(at);
    if (known !== undefined) return known;
    const client = new ManagementClient(this.access(at), never);
    this.#clients.set(at, client);
    return client;
  }

  /** What all of them wrote to standard output and error. */
  get output(): string {
    return this.#errors;
  }

  async startReplica(at = 0): Promise<void> {
    const { data, port } = this.#replicas[at];
    const { database, args = [], environment } = this.#options;
    const shared =
      at === 0 ? [] : ["--master-key-file", path.join(this.data(0), "keys", "master.key")];
    const output =
      this.#options.output === undefined ? "pipe" : openSync(this.#options.output, "a");
    const child = spawn(
      serverProgram,
      [
        ...["serve", "--data", data, "--listen", `127.0.0.1:${port}`],
        ...(database === undefined ? [] : ["--database", database]),
        ...(this.#replicas.length === 1 ? [] : this.urls.flatMap((url) => ["--public-url", url])),
        ...shared,
        ...args,
      ],
      {
        env: { PATH: process.env["PATH"] ?? "", TZ: "UTC", ...environment },
        stdio: ["ignore", output, output],
        detached: this.#options.output !== undefined,
      },
    );
    this.#replicas[at].process = child;
    const take = (piece: Buffer): void => {
      this.#errors = (this.#errors + piece.toString()).slice(-2_000_000);
    };
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", take);
    if (typeof output === "number") {
      closeSync(output);
      child.unref();
    }
    await until("the server answers", async () => {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`the server ended with ${child.exitCode}: ${this.#errors.slice(-4000)}`);
      if (!existsSync(path.join(data, "local-access.json"))) return false;
      // What it writes there changes with each start.
      await this.#clients.get(at)?.close();
      this.#clients.delete(at);
      await this.client(at).get("/api/v1/tenants");
      return true;
    });
  }

  /** Ends a replica and waits until it has gone; its exit code, or undefined if the signal ended it. */
  async endReplica(at = 0, signal: NodeJS.Signals = "SIGTERM"): Promise<number | undefined> {
    const child = this.#replicas[at].process;
    this.#replicas[at].process = undefined;
    if (child === undefined) return undefined;
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill(signal);
      await ended;
    }
    return child.exitCode ?? undefined;
  }

  /** Runs a command of `backstay-server` on the first replica's machine. */
  async cli(args: readonly string[], input = ""): Promise<Outcome> {
    const environment = {
      PATH: process.env["PATH"] ?? "",
      TZ: "UTC",
      BACKSTAY_SERVER_DATA: this.data(0),
    };
    const child = spawn(serverProgram, args, { env: environment });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (piece: Buffer) => (stdout += piece.toString()));
    child.stderr.on("data", (piece: Buffer) => (stderr += piece.toString()));
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const exitCode = await new Promise<number>((resolve) =>
      child.once("close", (code) => resolve(code ?? -1)),
    );
    return { exitCode, stdout, stderr };
  }

  /** As `cli`; rejects with what the command wrote if it fails. */
  async succeed(args: readonly string[], input = ""): Promise<string> {
    const { exitCode, stdout, stderr } = await this.cli(args, input);
    if (exitCode !== 0)
      throw new Error(
        `backstay-server ${args.join(" ")}: exit code ${exitCode}\n${stderr}${stdout}`,
      );
    return stdout;
  }

  async remove(): Promise<void> {
    for (const client of this.#clients.values()) await client.close();
    for (const at of this.#replicas.keys()) await this.endReplica(at, "SIGKILL");
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

/** A port of loopback above 20000 that nobody has now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const isFree = await new Promise<boolean>((resolve) => {
      const probe = createServer().listen(port, "127.0.0.1");
      probe.once("listening", () => probe.close(() => resolve(true)));
      probe.once("error", () => resolve(false));
    });
    if (isFree) return port;
  }
}
