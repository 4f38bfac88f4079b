/**
 * How much longer a first backup takes through the gateway of a real server on this machine than into a folder:
 * `node_modules/.bin/node test/bench/gateway-bench.ts [MIB]` (1024 unless given). Two rounds, the best of each way.
 */
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { openDatabase } from "../../server/database/open-database.ts";
import { ServerScene } from "../fleet/server-scene.ts";
import { addGatewayMachine, type GatewayMachine } from "../gateway/gateway-scene.ts";
import { backstayOn, type RepositoryProgram } from "../programs.ts";
import { writeIncompressible } from "./bench-data.ts";

const mebibyte = 1024 * 1024;
const rounds = 2;
const sizeMebibytes = Number(process.argv[2] ?? 1024);
const password = "bench";

async function addMachine(server: ServerScene): Promise<GatewayMachine> {
  const { database, close } = await openDatabase(path.join(server.data(), "server.db"));
  try {
    return await addGatewayMachine({ database, now: Date.now });
  } finally {
    await close();
  }
}

async function throughGateway(server: ServerScene, cache: string): Promise<RepositoryProgram> {
  const machine = await addMachine(server);
  return backstayOn({
    repository: `rest:${server.url()}${machine.path}`,
    password,
    cache,
    environment: {
      RESTIC_REST_USERNAME: machine.agentId,
      RESTIC_REST_PASSWORD: machine.password,
      BACKSTAY_REST_PINS: server.access().pin,
    },
  });
}

/** Seconds of a first backup. */
async function measured(program: RepositoryProgram, source: string): Promise<number> {
  await program.succeed("init");
  const start = performance.now();
  await program.succeed("backup", source);
  return (performance.now() - start) / 1000;
}

async function run(folder: string): Promise<void> {
  const source = path.join(folder, "source");
  writeIncompressible(source, 2, (sizeMebibytes * mebibyte) / 2);
  const seconds = { folder: Number.POSITIVE_INFINITY, gateway: Number.POSITIVE_INFINITY };
  for (let round = 0; round < rounds; round += 1) {
    const place = path.join(folder, "repository");
    const local = backstayOn({ repository: place, password, cache: path.join(folder, "cache") });
    seconds.folder = Math.min(seconds.folder, await measured(local, source));
    rmSync(place, { recursive: true });
    const server = await ServerScene.start({ parent: folder });
    try {
      const remote = await throughGateway(server, path.join(folder, "cache"));
      seconds.gateway = Math.min(seconds.gateway, await measured(remote, source));
    } finally {
      await server.remove();
    }
  }
  const { folder: direct, gateway } = seconds;
  const ratio = (gateway / direct).toFixed(2);
  console.log(
    `${sizeMebibytes} MiB: folder ${direct.toFixed(2)} s, gateway ${gateway.toFixed(2)} s, ratio ${ratio}`,
  );
}

const folder = mkdtempSync(path.join(tmpdir(), "backstay-gateway-bench-"));
const { bavail, bsize } = statfsSync(folder);
try {
  if (bavail * bsize < 4 * sizeMebibytes * mebibyte) throw new Error(`no room in ${folder}`);
  console.log(
    `load before: ${loadavg()
      .map((load) => load.toFixed(1))
      .join(" ")}`,
  );
  await run(folder);
  console.log(
    `load after: ${loadavg()
      .map((load) => load.toFixed(1))
      .join(" ")}`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
