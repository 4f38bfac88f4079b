/**
 * Ceph's object gateway, the real one, with a small Ceph cluster in memory behind it, on free ports of this machine. It
 * takes some ten seconds to start, so tests share one where they can; each makes buckets of its own there.
 */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { newMemoryFolder } from "../memory-folder.ts";
import { freePorts, isAlive, killAll } from "./local-processes.ts";

const run = promisify(execFile);

export interface Radosgw {
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  /** `https://localhost:port`. */
  readonly tlsUrl: string;
  /** PEM file of the authority that `tlsUrl` is to be believed by. */
  readonly authorityFile: string;
  /** Its account as a store takes it; it may do everything. */
  readonly environment: Readonly<Record<string, string>>;
  /** Holds the configuration and `run/osd.0.pid`. */
  readonly folder: string;
}

const accessKey = "testkey123";
const secretKey = "testsecret456";

/** Starts one of its own, for tests that stop or break it; the caller gives it to `stopRadosgw`, also after a failure. */
export async function startRadosgw(): Promise<Radosgw> {
  const folder = newMemoryFolder("backstay-radosgw-");
  try {
    return await launch(folder);
  } catch (error) {
    await stopRadosgw(folder);
    throw error;
  }
}

/** Ends what runs there, and removes the folder. */
export async function stopRadosgw(folder: string): Promise<void> {
  const runFolder = path.join(folder, "run");
  const files = existsSync(runFolder) ? readdirSync(runFolder) : [];
  const ids = files
    .filter((file) => file.endsWith(".pid"))
    .map((file) => Number(readFileSync(path.join(runFolder, file), "utf8")))
    .filter((id) => id > 1);
  await killAll(ids);
  rmSync(folder, { recursive: true, force: true });
}

/** What Ceph's administration tool says, such as to `user create --uid=…`. */
export async function radosgwAdmin(server: Radosgw, ...args: string[]): Promise<string> {
  const { stdout } = await run("radosgw-admin", [...inCluster(server.folder), ...args]);
  return stdout;
}

function inCluster(folder: string): string[] {
  return ["-c", path.join(folder, "ceph.conf"), "-n", "client.rgw"];
}

async function launch(folder: string): Promise<Radosgw> {
  for (const name of ["mon", "osd", "run", "log"]) mkdirSync(path.join(folder, name));
  const port = await freePorts(48);
  const id = randomUUID();
  writeFileSync(path.join(folder, "ceph.conf"), configuration(folder, id, port));
  const inside = { cwd: folder };
  const configured = ["-c", path.join(folder, "ceph.conf")];
  const certificate = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
  const names = "subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1";
  const subject = ["-subj", "/CN=localhost", "-addext", names, "-days", "30", "-nodes"];
  await run(
    "openssl",
    [...certificate, ...subject, "-keyout", "key.pem", "-out", "cert.pem"],
    inside,
  );
  const monitor = ["--addv", "a", `[v2:127.0.0.1:${port}]`, "--fsid", id, "monmap"];
  await run("monmaptool", ["--create", ...monitor], inside);
  await run("ceph-mon", [...configured, "--mkfs", "-i", "a", "--monmap", "monmap"], inside);
  await run("ceph-mon", [...configured, "-i", "a"]);
  const disk = randomUUID();
  await run("ceph", [...configured, "osd", "new", disk]);
  await run("ceph-osd", [...configured, "-i", "0", "--mkfs", "--osd-uuid", disk]);
  await run("ceph-osd", [...configured, "-i", "0"]);
  await run("radosgw", [...configured, "-n", "client.rgw"]);
  const keys = [`--access-key=${accessKey}`, `--secret-key=${secretKey}`];
  const user = ["user", "create", "--uid=test", "--display-name=test", ...keys];
  const server = describedServer(folder, port);
  await Promise.all([radosgwAdmin(server, ...user), answering(server)]);
  return server;
}

async function answering(server: Radosgw): Promise<void> {
  const log = path.join(server.folder, "run", "client.rgw.pid");
  for (;;) {
    if (
      await fetch(server.url).then(
        (answer) => answer.ok,
        () => false,
      )
    )
      return;
    if (existsSync(log) && !isAlive(Number(readFileSync(log, "utf8"))))
      throw new Error("radosgw ended");
    await sleep(50);
  }
}

function describedServer(folder: string, port: number): Radosgw {
  return {
    url: `http://127.0.0.1:${port + 1}`,
    tlsUrl: `https://localhost:${port + 2}`,
    authorityFile: path.join(folder, "cert.pem"),
    environment: { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey },
    folder,
  };
}

/** `ms mon client mode`: without it the gateway hangs where there is no authentication within the cluster. */
function configuration(folder: string, id: string, port: number): string {
  const tls = `ssl_endpoint=127.0.0.1:${port + 2} ssl_certificate=${folder}/cert.pem`;
  return `[global]
fsid = ${id}
mon host = v2:127.0.0.1:${port}
public network = 127.0.0.0/8
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms bind msgr1 = false
ms bind port min = ${port + 10}
ms bind port max = ${port + 47}
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
mon max pg per osd = 500
osd crush chooseleaf type = 0
mon data avail warn = 1
mon data avail crit = 1
mon data = ${folder}/mon
run dir = ${folder}/run
admin socket = ${folder}/run/$name.$pid.asok
log file = ${folder}/log/$name.log
pid file = ${folder}/run/$name.pid
[osd]
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = 8589934592
osd numa auto affinity = false
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${port + 1} ${tls} ssl_private_key=${folder}/key.pem
rgw dns name = localhost
rgw thread pool size = 64
rgw crypt require ssl = false
rgw s3 auth use sts = true
rgw sts key = abcdefghijklmnop
`;
}
