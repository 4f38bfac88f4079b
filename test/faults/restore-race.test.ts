/** Another user changes the target while root restores into it: nothing is written outside. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { restoreSnapshot } from "../../agent/restore/restore.ts";
import { CraftedRepository } from "../repository/crafted-snapshot.ts";

/** Exchanges each pair of paths in turn, and plants symlinks and hard links under names that are to be restored. */
const attacker = `
  const { workerData, parentPort } = require("node:worker_threads");
  const fs = require("node:fs");
  import(workerData.koffi).then(({ default: koffi }) => {
    const renameat2 = koffi.load(null).func("int renameat2(int, str, int, str, unsigned int)");
    const stop = new Int32Array(workerData.stop);
    const attempt = (action) => { try { action(); } catch {} };
    parentPort.postMessage("running");
    let rounds = 0;
    for (let i = 0; Atomics.load(stop, 0) === 0; i = (i + 1) % workerData.files) {
      for (const [a, b] of workerData.pairs)
        if (renameat2(-100, a, -100, b, 2) === 0) rounds++;
      const name = workerData.planted + "/f" + i;
      attempt(() => fs.unlinkSync(name));
      attempt(() => i % 2 ? fs.symlinkSync(workerData.victim, name) : fs.linkSync(workerData.victim, name));
    }
    parentPort.postMessage(rounds);
  });
`;

const folders = 6;
const filesPerFolder = 400;
const restores = 2;

describe.runIf(process.platform === "linux")(
  "a restore into a folder that an attacker changes",
  () => {
    it("writes nothing outside of it", async () => {
      const base = fs.mkdtempSync(path.join(tmpdir(), "backstay-attack-"));
      const target = path.join(base, "target");
      const outside = path.join(base, "outside");
      const victim = path.join(base, "victim");
      fs.writeFileSync(victim, "victim");
      fs.chmodSync(victim, 0o604);
      fs.utimesSync(victim, 1, 1);
      fs.mkdirSync(path.join(outside, "sub"), { recursive: true });
      const crafted = new CraftedRepository();
      const nodes = Array.from({ length: folders }, (_, folder) => {
        const files = Array.from({ length: filesPerFolder }, (__, i) =>
          crafted.file(`f${i}`, [`restored ${folder} ${i}`, ...(i % 10 === 0 ? ["second"] : [])]),
        );
        const sub = crafted.directory("sub", [crafted.file("deep", [`deep ${folder}`])]);
        return crafted.directory(`d${folder}`, [...files, sub]);
      });
      const tree = crafted.tree(nodes);
      const repository = await crafted.open();
      const pairs = [];
      for (let folder = 0; folder < folders; folder += 1) {
        const directory = path.join(target, `d${folder}`);
        fs.mkdirSync(directory, { recursive: true });
        const evil = path.join(base, `evil${folder}`);
        fs.symlinkSync(outside, evil);
        // The first folder stays where it is: what is planted there must not land outside by itself.
        if (folder > 0) pairs.push([directory, evil]);
      }
      const stop = new SharedArrayBuffer(4);
      const worker = new Worker(attacker, {
        eval: true,
        workerData: {
          koffi: import.meta.resolve("koffi"),
          stop,
          pairs,
          victim,
          planted: path.join(target, "d0"),
          files: filesPerFolder,
        },
      });
      await new Promise((resolve) => worker.once("message", resolve));
      const rounds = new Promise<number>((resolve) => worker.once("message", resolve));
      let restored = 0;
      let refused = 0;
      const signal = new AbortController().signal;
      for (let i = 0; i < restores; i += 1) {
        const summary = await restoreSnapshot({
          repository,
          tree,
          target: Buffer.from(target),
          threads: 2,
          signal,
        });
        restored += summary.entriesRestored + summary.entriesUnchanged;
        refused += summary.errors;
      }
      Atomics.store(new Int32Array(stop), 0, 1);
      const exchanged = await rounds;
      const escaped = fs.readdirSync(outside, { recursive: true });
      const stat = fs.statSync(victim);
      const content = fs.readFileSync(victim, "utf8");
      fs.rmSync(base, { recursive: true, force: true });
      expect(escaped).toEqual(["sub"]);
      expect(content).toBe("victim");
      expect(stat.mode & 0o7777).toBe(0o604);
      expect(stat.mtimeMs).toBe(1000);
      // Both sides of the race took place.
      expect(exchanged).toBeGreaterThan(1000);
      expect(restored).toBeGreaterThan(100);
      expect(refused).toBeGreaterThan(10);
    });
  },
);
