/**
 * Backups that are killed at random moments. After each kill the repository is whole; the next run completes, and
 * neither stores again what had arrived nor reads files of which everything had. `BACKSTAY_KILLS` says how many kills,
 * `BACKSTAY_SEED` which ones.
 */
import { type ChildProcess, execFileSync } from "node:child_process";
import { cpSync, rmSync, truncateSync } from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Repository } from "../../agent/repository/repository.ts";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import { backUpInProcess, type EndedProcess } from "../backup/backup-process.ts";
import { BackupScene, scenePassword } from "../backup/backup-scene.ts";
import type { SourceChange } from "../backup/changing-source.ts";
import { differences, folderOf, nodeAt } from "../backup/snapshot-compare.ts";
import { blobKey, storedBlobs } from "../backup/stored-blobs.ts";
import { assertWhole } from "../backup/whole-repository.ts";
import { installedPeers } from "../peers.ts";

const kills = Number(process.env["BACKSTAY_KILLS"] ?? 25);
const seed = Number(process.env["BACKSTAY_SEED"] ?? 1);
const mebibyte = 1024 * 1024;
/** The few kills of a quick run are on a smaller source. */
const scale = kills > 25 ? 1 : 0.5;
/** What may be read and not yet noted: for each of the workers what it reads and what waits for the scan. */
const unnotedBytesMax = 2 * 3 * 8 * mebibyte;

let scene: BackupScene;

afterEach(() => scene?.remove());

/** Bytes that can't be compressed. */
function noiseOf(bytes: number, seeded: number): Buffer {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  let state = seeded;
  for (let i = 0; i < words.length; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    words[i] = state ^ (state >>> 13);
  }
  return Buffer.from(words.buffer).subarray(0, bytes);
}

/** Some hundred files, of all sizes that take another way. */
function fill(random: () => number): void {
  const noise = (bytes: number): Buffer => noiseOf(bytes, Math.floor(random() * 2 ** 32));
  for (let i = 0; i < 400 * scale; i += 1)
    scene.write(`small/${i % 17}/f${i}`, noise(Math.floor(random() * 20_000)));
  for (let i = 0; i < 120 * scale; i += 1)
    scene.write(`medium/${i % 3}/f${i}`, noise(Math.floor(100_000 + random() * 900_000)));
  for (let i = 0; i < 8 * scale; i += 1) scene.write(`large/f${i}`, noise((7 + i) * mebibyte));
  const ranged = scene.write("ranged", noise(3 * mebibyte));
  truncateSync(ranged, 300 * mebibyte);
}

/** When to kill: so long after the backup began, or so long after a pack was stored, counted from 1. */
interface KillMoment {
  readonly delayMs: number;
  readonly pack?: number;
}

/** Every other moment is anywhere in the run, the others are shortly after a pack. */
function kill(number: number, runMs: number, packs: number, random: () => number): KillMoment {
  if (number % 2 === 0) return { delayMs: random() * runMs };
  return { delayMs: random() * 30, pack: 1 + Math.floor(random() * packs) };
}

/** Runs a backup, killed at that moment unless it is faster. */
async function run(moment?: KillMoment): Promise<EndedProcess> {
  let timer: NodeJS.Timeout | undefined;
  const arm = (child: ChildProcess): void => {
    if (moment !== undefined) timer = setTimeout(() => child.kill("SIGKILL"), moment.delayMs);
  };
  const ended = await backUpInProcess(scene, {
    onStart: (child) => {
      if (moment?.pack === undefined) arm(child);
    },
    onPack: (child, packs) => {
      if (moment?.pack === packs) arm(child);
    },
  });
  clearTimeout(timer);
  if (ended.code !== null) expect(ended).toMatchObject({ code: 0, error: undefined });
  return ended;
}

/** Every file of the snapshot, with its size and the keys of its blobs. */
async function filesOf(
  repository: Repository,
  snapshot: string,
): Promise<{ size: number; blobs: string[] }[]> {
  const files: { size: number; blobs: string[] }[] = [];
  const top = await nodeAt(repository, snapshot, scene.source);
  const waiting = [top?.subtree];
  for (let tree = waiting.pop(); tree !== undefined && tree !== null; tree = waiting.pop())
    for (const node of (await folderOf(repository, tree)).values()) {
      if (node.subtree !== null) waiting.push(node.subtree);
      const ids = node.content;
      if (ids === null) continue;
      const blobs = Array.from({ length: ids.length / 32 }, (_, i) => blobKey(ids, i * 32, false));
      files.push({ size: node.size, blobs });
    }
  return files;
}

function resticCheck(restic: string): void {
  const output = execFileSync(
    restic,
    ["-r", scene.repositoryFolder, "--no-cache", "--no-lock", "check"],
    {
      encoding: "utf8",
      env: { ...process.env, RESTIC_PASSWORD: scenePassword },
    },
  );
  expect(output).toContain("no errors were found");
}

/** Back to an empty repository and no cache. */
function startOver(empty: string): void {
  for (const place of [scene.repositoryFolder, scene.cacheRoot])
    rmSync(place, { recursive: true, force: true });
  cpSync(empty, scene.repositoryFolder, { recursive: true });
}

describe("a backup that is killed", { timeout: 120_000 + kills * 60_000 }, () => {
  it(`leaves a whole repository ${kills} times, and goes on where it was`, async () => {
    const random = seededRandom(seed);
    const restic = installedPeers().restic018;
    scene = await BackupScene.create("local");
    fill(random);
    const empty = path.join(scene.folder, "empty");
    cpSync(scene.repositoryFolder, empty, { recursive: true });
    const whole = await run();
    const wholeBytes = whole.summary?.bytesStored ?? 0;
    const wholePacks = (await storedBlobs(await scene.open(scene.store, true))).packs;
    let runMs = whole.elapsedMs;
    let [killed, chain, sampled, midway] = [0, 0, 0, 0];
    startOver(empty);
    let arrived: ReadonlyMap<string, number> = new Map();
    while (killed < kills || chain > 0) {
      const story = `seed ${seed}, kill ${killed}`;
      const { summary, elapsedMs } = await run(
        killed < kills ? kill(killed, runMs, wholePacks, random) : undefined,
      );
      const repository = await scene.open(scene.store, true);
      const facts = await assertWhole(repository);
      const stored = await storedBlobs(repository);
      // Nothing that had arrived was ever sent again.
      expect(Math.max(0, ...stored.counts.values()), story).toBeLessThanOrEqual(1);
      expect(stored.packBytes, story).toBeLessThan(wholeBytes + mebibyte);
      if (summary === undefined) {
        killed += 1;
        chain += 1;
        arrived = stored.counts;
        if (arrived.size > 0 && facts.snapshots.length === 0) midway += 1;
        if (restic !== undefined && killed % 8 === 1) {
          sampled += 1;
          resticCheck(restic);
        }
        continue;
      }
      runMs = (runMs + Math.max(elapsedMs, 50)) / 2;
      expect(facts).toMatchObject({ orphans: 0, locks: 0 });
      expect(facts.snapshots, story).toContain(summary.snapshotId);
      const files = await filesOf(repository, summary.snapshotId ?? "");
      const lacking = files.filter(({ blobs }) => !blobs.every((blob) => arrived.has(blob)));
      const lackingBytes = lacking.reduce(
        (sum, { size }) => sum + Math.min(size, 20 * mebibyte),
        0,
      );
      // The last packs are sent when everything is noted.
      const unnoted = lacking.length === 0 ? 0 : unnotedBytesMax;
      expect(summary.bytesRead, story).toBeLessThanOrEqual(lackingBytes + unnoted);
      expect(await differences(repository, summary.snapshotId ?? "", scene.source)).toEqual([]);
      if (restic !== undefined) resticCheck(restic);
      chain = 0;
      arrived = new Map();
      startOver(empty);
    }
    // The kills fell where it matters: something had arrived, but not everything.
    expect(midway).toBeGreaterThan(kills / 5);
    expect(sampled > 0 || restic === undefined).toBe(true);
  });

  it("has noted what it has read by then, so that the next run does not read it again", async () => {
    scene = await BackupScene.create("local");
    const size = 400_000;
    for (let i = 0; i < 250; i += 1) scene.write(`f${1000 + i}`, noiseOf(size, i));
    scene.write("last", "the end");
    const changes = [{ name: "last", moment: "read", side: "before", number: 1, action: "kill" }];
    const killed = await backUpInProcess(scene, { changes: changes as SourceChange[] });
    expect(killed.code).toBeNull();
    const stored = await storedBlobs(await scene.open(scene.store, true));
    expect(stored.counts.size).toBeGreaterThan(30);
    const next = await run();
    const lacking = (250 - stored.counts.size) * size;
    expect(next.summary?.bytesRead).toBeLessThanOrEqual(lacking + 3 * 8 * mebibyte);
    expect(next.summary?.packsRecovered).toBe(stored.packs);
  });
});
