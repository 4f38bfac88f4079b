/** A private PostgreSQL for tests: a cluster in a temporary folder, on loopback, gone with the process that started it. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";

const run = promisify(execFile);

export interface PostgresCluster {
  readonly port: number;
  /** Of the server; undefined while it does not run. */
  readonly processId: number | undefined;
  /** Makes an empty database and returns its address. */
  createDatabase(): Promise<string>;
  /** Ends the server at once, as a crash would; its data stays. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, at the same port. */
  start(): Promise<void>;
  /** Ends the server and removes everything. */
  stop(): Promise<void>;
}

/** The folder of PostgreSQL's programs, newest version first; undefined if it is not on this machine. */
export function postgresPrograms(): string | undefined {
  const versions = "/usr/lib/postgresql";
  if (!existsSync(versions)) return undefined;
  return readdirSync(versions)
    .toSorted((a, b) => Number(b) - Number(a))
    .map((version) => path.join(versions, version, "bin"))
    .find((bin) => existsSync(path.join(bin, "initdb")));
}

/**
 * Starts a cluster of its own. Fails where `postgresPrograms` finds none. Its commits reach the disk only if `isDurable`:
 * for measurements.
 */
export async function startPostgres(isDurable = false): Promise<PostgresCluster> {
  const bin = postgresPrograms();
  if (bin === undefined) throw new Error("PostgreSQL is not on this machine");
  const folder = await mkdtemp(path.join(tmpdir(), "backstay-postgres-"));
  // PostgreSQL refuses to run as root.
  const isRoot = process.getuid?.() === 0;
  const asUser = isRoot
    ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig=INT"]
    : [];
  if (isRoot) {
    const [uid, gid] = await Promise.all(
      ["-u", "-g"].map(async (flag) => Number((await run("id", [flag, "postgres"])).stdout)),
    );
    await chown(folder, Number(uid), Number(gid));
  }
  const data = path.join(folder, "data");
  const [program = "", ...args] = [
    ...asUser,
    path.join(bin, "initdb"),
    ...["--pgdata", data, "--auth=trust", "--username=postgres", "--encoding=UTF8"],
    // Not "C": the tests notice where an order depends on the locale.
    ...["--locale=C.UTF-8", "--no-sync", "--no-instructions"],
  ];
  await run(program, args, { cwd: folder });
  const cluster = new Cluster({ bin, folder, data, asUser, port: await freePort(), isDurable });
  await cluster.start();
  return cluster;
}

interface ClusterPlace {
  readonly bin: string;
  readonly folder: string;
  readonly data: string;
  readonly asUser: readonly string[];
  readonly port: number;
  readonly isDurable: boolean;
}

class Cluster implements PostgresCluster {
  readonly #place: ClusterPlace;
  #server: ChildProcess | undefined;
  #databases = 0;

  constructor(place: ClusterPlace) {
    this.#place = place;
  }

  get port(): number {
    return this.#place.port;
  }

  get processId(): number | undefined {
    return this.#server?.pid;
  }

  async createDatabase(): Promise<string> {
    this.#databases++;
    const name = `test_${this.#databases}`;
    await this.#ask(`CREATE DATABASE ${name}`);
    return `postgres://postgres@127.0.0.1:${this.port}/${name}`;
  }

  async start(): Promise<void> {
    const { bin, folder, data, asUser, port, isDurable } = this.#place;
    const [program = "", ...args] = [
      ...asUser,
      path.join(bin, "postgres"),
      ...["-D", data, "-k", folder, "-p", String(port), "-h", "127.0.0.1"],
      ...(isDurable ? [] : ["-F"]),
      ...["-c", "max_connections=200", "-c", "shared_buffers=32MB", "-c", "jit=off"],
    ];
    const server = spawn(program, args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    this.#server = server;
    let complaints = "";
    server.stderr.on("data", (text) => {
      complaints = `${complaints}${text}`.slice(-4000);
    });
    for (;;) {
      if (server.exitCode !== null) throw new Error(`PostgreSQL did not start: ${complaints}`);
      if (await this.#answers()) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async kill(): Promise<void> {
    await this.#end("SIGQUIT");
  }

  async stop(): Promise<void> {
    await this.#end("SIGINT");
    await rm(this.#place.folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined || server.exitCode !== null) return;
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill(signal);
    await ended;
  }

  async #answers(): Promise<boolean> {
    return await this.#ask("SELECT 1").then(
      () => true,
      () => false,
    );
  }

  async #ask(statement: string): Promise<void> {
    const client = new Client({
      host: "127.0.0.1",
      port: this.port,
      user: "postgres",
      database: "postgres",
    });
    client.on("error", () => undefined);
    try {
      await client.connect();
      await client.query(statement);
    } finally {
      await client.end();
    }
  }
}

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
    probe.once("error", reject);
  });
}
