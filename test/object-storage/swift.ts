/**
 * OpenStack Swift with its S3 side (s3api), the real one, on free ports of this machine: a server that can less than most.
 * It knows no conditional writes, no locks of objects and no versions.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { newMemoryFolder } from "../memory-folder.ts";
import { freePorts, killAll } from "./local-processes.ts";

const run = promisify(execFile);

export interface Swift {
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  /** Its account as a store takes it; it may do everything. */
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly processIds: readonly number[];
}

const kinds = ["account", "container", "object"] as const;

/** The caller gives it to `stopSwift`. */
export async function startSwift(): Promise<Swift> {
  const folder = newMemoryFolder("backstay-swift-");
  const processIds: number[] = [];
  try {
    const port = await freePorts(5);
    await makeRings(folder, port);
    writeFileSync(path.join(folder, "proxy.conf"), proxyConfiguration(folder, port));
    const memcached = ["-l", "127.0.0.1", "-p", String(port + 4), "-u", "root"];
    const started = [
      launch(folder, "memcached", memcached),
      ...kinds.map((kind) => launch(folder, `swift-${kind}-server`, [`${kind}.conf`])),
      launch(folder, "swift-proxy-server", ["proxy.conf"]),
    ];
    processIds.push(...started.map(({ pid = 0 }) => pid).filter((id) => id > 0));
    const server: Swift = {
      url: `http://127.0.0.1:${port}`,
      environment: { AWS_ACCESS_KEY_ID: "test:tester", AWS_SECRET_ACCESS_KEY: "testing" },
      folder,
      processIds,
    };
    await answering(server, started);
    return server;
  } catch (error) {
    await stopSwift({ folder, processIds });
    throw error;
  }
}

/** Ends what runs there, and removes the folder. */
export async function stopSwift(server: Pick<Swift, "folder" | "processIds">): Promise<void> {
  await killAll(server.processIds);
  rmSync(server.folder, { recursive: true, force: true });
}

/** One device for each kind of server, with a configuration for it. */
async function makeRings(folder: string, port: number): Promise<void> {
  mkdirSync(path.join(folder, "node", "d1"), { recursive: true });
  await Promise.all(
    kinds.map(async (kind, i) => {
      const own = port + 1 + i;
      writeFileSync(path.join(folder, `${kind}.conf`), serverConfiguration(folder, kind, own));
      const builder = path.join(folder, `${kind}.builder`);
      await run("swift-ring-builder", [builder, "create", "4", "1", "1"]);
      await run("swift-ring-builder", [builder, "add", `r1z1-127.0.0.1:${own}/d1`, "1"]);
      await run("swift-ring-builder", [builder, "rebalance"]);
    }),
  );
}

function launch(folder: string, program: string, args: readonly string[]): ChildProcess {
  const log = openSync(path.join(folder, `${program}.log`), "a");
  return spawn(program, args, { cwd: folder, stdio: ["ignore", log, log] });
}

/** Until all of it works: the proxy answers before the servers behind it do. */
async function answering(server: Swift, started: readonly ChildProcess[]): Promise<void> {
  const credentials = { "x-auth-user": "test:tester", "x-auth-key": "testing" };
  for (;;) {
    const dead = started.find(({ exitCode }) => exitCode !== null);
    if (dead !== undefined) {
      const program = path.basename(dead.spawnfile);
      const log = readFileSync(path.join(server.folder, `${program}.log`), "utf8");
      throw new Error(`${program} ended: ${log.slice(-2000)}`);
    }
    const isReady = await fetch(`${server.url}/auth/v1.0`, { headers: credentials })
      .then(async ({ headers }) => {
        const url = `${headers.get("x-storage-url")}/ready`;
        const token = { "x-auth-token": headers.get("x-auth-token") ?? "" };
        return (await fetch(url, { method: "PUT", headers: token })).ok;
      })
      .catch(() => false);
    if (isReady) return;
    await sleep(50);
  }
}

function serverConfiguration(folder: string, kind: string, port: number): string {
  return `[DEFAULT]
user = root
swift_dir = ${folder}
devices = ${folder}/node
mount_check = false
disable_fallocate = true
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
recon_cache_path = ${folder}
[pipeline:main]
pipeline = ${kind}-server
[app:${kind}-server]
use = egg:swift#${kind}
allow_versions = true
`;
}

function proxyConfiguration(folder: string, port: number): string {
  const filters = [
    ["catch_errors", "catch_errors"],
    ["gatekeeper", "gatekeeper"],
    ["cache", `memcache\nmemcache_servers = 127.0.0.1:${port + 4}`],
    ["listing_formats", "listing_formats"],
    ["bulk", "bulk"],
    ["s3api", "s3api\nlocation = us-east-1"],
    ["tempauth", "tempauth\nuser_test_tester = testing .admin"],
    ["copy", "copy"],
    ["slo", "slo"],
    ["dlo", "dlo"],
    ["versioned_writes", "versioned_writes\nallow_object_versioning = true"],
    ["symlink", "symlink"],
  ];
  const names = filters.map(([name]) => name).join(" ");
  const sections = filters.map(([name, used]) => `[filter:${name}]\nuse = egg:swift#${used}\n`);
  return `[DEFAULT]
user = root
swift_dir = ${folder}
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
[pipeline:main]
pipeline = ${names} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
${sections.join("")}`;
}
