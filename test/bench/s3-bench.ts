/**
 * A first backup into an S3 server on this machine beside the same into a folder, ours and restic's:
 * `node_modules/.bin/node test/bench/s3-bench.ts [--mib 2048] [--files 10000] [--rounds 2] [--server ceph|small] [--apart]`
 *
 * The source is one file of so many MiB that nothing makes smaller, and so many small texts. Of each way the best round counts.
 * Server and backup share the processors of the machine; with `--apart` backups have one core, and the server another.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { DemoS3 } from "../demo/demo-s3.ts";
import { findPeers } from "../peers.ts";
import { writeIncompressible, writeTexts } from "./bench-data.ts";
import { type Measured, measureRun, warm } from "./measured-run.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const mebibyte = 1024 * 1024;

interface Way {
  readonly name: string;
  readonly program: string;
  readonly repository: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** One backup into a new repository. */
async function firstBackup(way: Way, source: string, cache: string): Promise<Measured> {
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: cache,
    RESTIC_PASSWORD: "benchmark",
    ...way.environment,
  };
  const place = ["--repo", way.repository, "--cache-dir", cache];
  await measureRun(way.program, [...place, "init"], { env });
  const measured = await measureRun(way.program, [...place, "backup", source], { env });
  if (/^processed 0 files/m.test(measured.output)) throw new Error(measured.output);
  return measured;
}

async function run(folder: string): Promise<void> {
  const { values } = parseArgs({
    options: {
      mib: { type: "string", default: "2048" },
      files: { type: "string", default: "10000" },
      rounds: { type: "string", default: "2" },
      server: { type: "string", default: "ceph" },
      apart: { type: "boolean", default: false },
    },
  });
  const source = path.join(folder, "source");
  writeIncompressible(source, 1, Number(values.mib) * mebibyte);
  writeTexts(path.join(source, "texts"), Number(values.files), path.join(checkout, "node_modules"));
  warm(source);
  // restic sends its content in chunks, which the small server does not take.
  const restic = values.server === "small" ? undefined : findPeers(process.env).restic018;
  const programs = [
    { title: "backstay", program: path.join(checkout, "agent/bin/backstay") },
    ...(restic === undefined ? [] : [{ title: "restic 0.18", program: restic }]),
  ];
  console.log(`${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)}`);
  const cache = path.join(folder, "cache");
  mkdirSync(cache);
  const keepTo = (core: number): void => {
    if (values.apart) stayOn(core);
  };
  const best = new Map<string, Measured>();
  for (let round = 0; round < Number(values.rounds); round += 1)
    for (const { title, program } of programs) {
      keepTo(0);
      const local = { name: `${title}, folder`, program, environment: {} };
      const repository = path.join(folder, "repository");
      keepBest(best, local.name, await firstBackup({ ...local, repository }, source, cache));
      rmSync(repository, { recursive: true });
      keepTo(1);
      const server = await DemoS3.start(folder, values.server === "small");
      try {
        keepTo(0);
        const { address, environment } = server;
        const name = `${title}, ${server.name}`;
        const way = { name, program, repository: `${address}/bench`, environment };
        keepBest(best, name, await firstBackup(way, source, cache));
      } finally {
        await server.stop();
        rmSync(path.join(folder, "s3"), { recursive: true, force: true });
      }
    }
  for (const [name, { seconds, processorSeconds, peakBytes }] of best)
    console.log(
      `${name}: ${seconds.toFixed(2)} s, ${processorSeconds.toFixed(1)} s of a processor, ${Math.round(peakBytes / 1e6)} MB`,
    );
}

/** Whatever this process starts from now on runs on one core. */
function stayOn(core: number): void {
  execFileSync("taskset", ["-cp", String(core), String(process.pid)], { stdio: "ignore" });
}

function keepBest(best: Map<string, Measured>, name: string, measured: Measured): void {
  if (measured.seconds < (best.get(name)?.seconds ?? Number.POSITIVE_INFINITY))
    best.set(name, measured);
}

const folder = mkdtempSync(path.join(tmpdir(), "backstay-s3-bench-"));
try {
  await run(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
