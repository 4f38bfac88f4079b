/**
 * Backups that are killed at random moments. After each kill the repository is whole; the next run completes, and
 * neither stores again what had arrived nor reads files of which everything had. `BACKSTAY_KILLS` says how many kills,
 * `BACKSTAY_SEED` which ones.
 */
import { execFileSync } from "node:child_process";
import { cpSync, rmSync, truncateSync } from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Repository } from "../../agent/repository/repository.ts";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import { backUpInProcess, type EndedProcess } from "../backup/backup-process.ts";
import { BackupScene, scenePassword } from "../backup/backup-scene.ts";
import { differences, folderOf, nodeAt } from "../backup/snapshot-compare.ts";
import { blobKey, storedBlobs } from "../backup/stored-blobs.ts";
import { assertWhole } from "../backup/whole-repository.ts";
import { installedPeers } from "../peers.ts";

const kills = Number(process.env["BACKSTAY_KILLS"] ?? 25);
const seed = Number(process.env["BACKSTAY_SEED"] ?? 1);
const mebibyte = 1024 * 1024;
/** The few kills of a quick run are on a smaller source. */
const scale = kills > 25 ? 1 : 0.3;
/** What may be read and not yet noted: for each of the workers what it reads and what waits for the scan. */
const unnotedBytesMax = 2 * 3 * 8 * mebibyte;

let scene: BackupScene;

afterEach(() => scene?.remove());

/** Some hundred files, of all sizes that take another way; what they hold can't be compressed. */
function fill(random: () => number): void {
  const noise = (bytes: number): Buffer => {
    const words = new Uint32Array(Math.ceil(bytes / 4));
    let state = Math.floor(random() * 2 ** 32);
    for (let i = 0; i < words.length; i += 1) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      words[i] = state ^ (state >>> 13);
    }
    return Buffer.from(words.buffer).subarray(0, bytes);
  };
  for (let i = 0; i < 400 * scale; i += 1)
    scene.write(`small/${i % 17}/f${i}`, noise(Math.floor(random() * 20_000)));
  for (let i = 0; i < 80 * scale; i += 1)
    scene.write(`medium/${i % 3}/f${i}`, noise(Math.floor(100_000 + random() * 900_000)));
  for (let i = 0; i < 6 * scale; i += 1) scene.write(`large/f${i}`, noise((8 + i * 2) * mebibyte));
  const ranged = scene.write("ranged", noise(3 * mebibyte));
  truncateSync(ranged, 300 * mebibyte);
}

/** Runs a backup, killed so long after it began unless it is faster. */
async function run(killAfterMs: number | undefined): Promise<EndedProcess> {
  let timer: NodeJS.Timeout | undefined;
  const ended = await backUpInProcess(scene, {
    onStart: (child) => {
      if (killAfterMs !== undefined) timer = setTimeout(() => child.kill("SIGKILL"), killAfterMs);
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
    const whole = await run(undefined);
    const wholeBytes = whole.summary?.bytesStored ?? 0;
    let runMs = whole.elapsedMs;
    let [killed, chain, sampled] = [0, 0, 0];
    startOver(empty);
    let arrived: ReadonlyMap<string, number> = new Map();
    while (killed < kills || chain > 0) {
      const story = `seed ${seed}, kill ${killed}`;
      const { summary, elapsedMs } = await run(killed < kills ? random() * runMs : undefined);
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
      expect(summary.bytesRead, story).toBeLessThanOrEqual(lackingBytes + unnotedBytesMax);
      expect(await differences(repository, summary.snapshotId ?? "", scene.source)).toEqual([]);
      if (restic !== undefined) resticCheck(restic);
      chain = 0;
      arrived = new Map();
      startOver(empty);
    }
    expect(sampled > 0 || restic === undefined).toBe(true);
  });
});
