import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { BackupScene } from "../../test/backup/backup-scene.ts";
import { differences, nodeAt } from "../../test/backup/snapshot-compare.ts";

const mebibyte = 1024 * 1024;
/** The id by which `restic restore --sparse` knows a file with holes: 512 KiB of zeros. */
const resticZeros = "07854d2fef297a06ba81685e660c332de36d5d18d546927d30daad6d7fda1541";

let scene: BackupScene;

afterEach(() => scene?.remove());

/** Makes a file of `size` bytes with 10,000 bytes of data at each of `positions`. */
function writeSparse(name: string, size: number, positions: readonly number[]): void {
  const file = openSync(scene.at(name), "wx");
  for (const position of positions)
    writeSync(file, Buffer.alloc(10_000, name), 0, 10_000, position);
  ftruncateSync(file, size);
  closeSync(file);
}

it("does not read holes, wherever they are, and brings them back as zeros", async () => {
  scene = await BackupScene.create();
  writeSparse("at the start", 12 * mebibyte, [12 * mebibyte - 10_000]);
  writeSparse("in the middle", 14 * mebibyte + 7, [0, 14 * mebibyte - 9993]);
  writeSparse("at the end", 10 * mebibyte + 1, [0]);
  writeSparse("on both sides", 18 * mebibyte, [9 * mebibyte + 12_345]);
  writeSparse("everywhere", 20 * mebibyte, []);
  const backup = await scene.backup();
  expect(backup.totalBytesProcessed).toBe(74 * mebibyte + 8);
  expect(backup.bytesRead).toBeLessThan(2 * mebibyte);
  const repository = await scene.open();
  await repository.loadIndex(new AbortController().signal);
  expect(await differences(repository, backup.snapshot, scene.source)).toEqual([]);
  for (const name of ["at the start", "in the middle", "at the end", "everywhere"]) {
    const node = await nodeAt(repository, backup.snapshot, scene.at(name));
    const content = Buffer.from(node?.content ?? []).toString("hex");
    expect(content.match(/.{64}/g), name).toContain(resticZeros);
  }
});
