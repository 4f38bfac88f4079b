/** Somebody exchanges a directory of the target for a symlink all the time: nothing may land outside. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { FileError } from "../ports/source-files.ts";
import { LinuxTargetFiles } from "./target-files.ts";
import { BeneathOpener } from "./target-open-beneath.ts";

/** Runs in a thread of its own: renameat2(RENAME_EXCHANGE) of two paths until told to stop. */
const exchanger = `
  const { workerData, parentPort } = require("node:worker_threads");
  import(workerData.koffi).then(({ default: koffi }) => {
    const renameat2 = koffi.load(null).func("int renameat2(int, str, int, str, unsigned int)");
    const stop = new Int32Array(workerData.stop);
    parentPort.postMessage("running");
    let rounds = 0;
    while (Atomics.load(stop, 0) === 0) {
      if (renameat2(-100, workerData.a, -100, workerData.b, 2) === 0) rounds++;
    }
    parentPort.postMessage(rounds);
  });
`;

const attempts = 10_000;
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

describe.runIf(process.platform === "linux")("a target that changes under the restore", () => {
  for (const way of ["openat2", "components"] as const) {
    it(`lets nothing escape through an exchanged directory (${way})`, async () => {
      const base = fs.mkdtempSync(join(tmpdir(), "backstay-race-"));
      const [outside, inside] = [join(base, "outside"), join(base, "target")];
      fs.mkdirSync(outside);
      fs.mkdirSync(join(inside, "dir", "sub"), { recursive: true });
      fs.mkdirSync(join(outside, "sub"));
      fs.symlinkSync(outside, join(inside, "evil"));
      const stop = new SharedArrayBuffer(4);
      const worker = new Worker(exchanger, {
        eval: true,
        workerData: {
          koffi: import.meta.resolve("koffi"),
          stop,
          a: join(inside, "dir"),
          b: join(inside, "evil"),
        },
      });
      await new Promise((resolve) => worker.once("message", resolve));
      const rounds = new Promise<number>((resolve) => worker.once("message", resolve));
      const files = new LinuxTargetFiles();
      const root = files.openRoot(bytes(inside), false);
      const opener = new BeneathOpener(way === "components");
      let created = 0;
      let refused = 0;
      for (let i = 0; i < attempts; i += 1) {
        try {
          const directory = opener.open(root, bytes(i % 2 === 0 ? "dir" : "dir/sub"));
          files.close(files.createFile(directory, bytes(`f${i}`)));
          files.close(directory);
          created += 1;
        } catch (error) {
          if (!(error instanceof FileError)) throw error;
          refused += 1;
        }
      }
      files.close(root);
      Atomics.store(new Int32Array(stop), 0, 1);
      const exchanged = await rounds;
      const escaped = [...fs.readdirSync(outside), ...fs.readdirSync(join(outside, "sub"))];
      fs.rmSync(base, { recursive: true, force: true });
      expect(escaped).toEqual(["sub"]);
      // The race took place: both sides of it were hit, many times.
      expect(exchanged).toBeGreaterThan(100);
      expect(created).toBeGreaterThan(100);
      expect(refused).toBeGreaterThan(100);
    });
  }
});
