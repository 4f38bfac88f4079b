/** A restore that is killed again and again: nothing looks finished that is not, and it comes to its end. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RestoreSummary } from "../../agent/restore/restore-summary.ts";
import { unfinishedMode } from "../../platform/ports/target-files.ts";
import { overwriteRules } from "../../protocol/run-order.ts";
import { openStore } from "../../storage/open-store.ts";
import { CraftedRepository } from "../repository/crafted-snapshot.ts";

const program = fileURLToPath(new URL("restore-child.ts", import.meta.url));
const killsMax = 8;
const smallFiles = 1500;

let base: string;
let repository: string;
let tree: string;
const expected = new Map<string, string>();
let totalBytes = 0;

beforeAll(async () => {
  base = fs.mkdtempSync(path.join(tmpdir(), "backstay-kill-"));
  repository = path.join(base, "repository");
  const crafted = new CraftedRepository(openStore(repository));
  const hash = (parts: readonly Buffer[]): string => {
    const content = Buffer.concat(parts);
    totalBytes += content.length;
    return createHash("sha256").update(content).digest("hex");
  };
  const noise = (seed: number, bytes: number): Buffer => {
    const block = createHash("sha512").update(String(seed)).digest();
    return Buffer.alloc(bytes, block);
  };
  const folders = Array.from({ length: 15 }, (_, folder) => {
    const files = Array.from({ length: smallFiles / 15 }, (__, i) => {
      const content = [Buffer.from(`file ${folder} ${i} `.repeat(1 + (i % 50)))];
      expected.set(`d${folder}/f${i}`, hash(content));
      return crafted.file(`f${i}`, content);
    });
    crafted.nextPack();
    return crafted.directory(`d${folder}`, files);
  });
  const large = Array.from({ length: 3 }, (_, i) => {
    const parts = Array.from({ length: 20 }, (__, part) => noise(i * 100 + part, 1_000_003));
    expected.set(`large${i}`, hash(parts));
    const node = crafted.file(`large${i}`, parts);
    crafted.nextPack();
    return node;
  });
  tree = Buffer.from(crafted.tree([...folders, ...large])).toString("hex");
  await crafted.open();
});
afterAll(() => fs.rmSync(base, { recursive: true, force: true }));

/** Kills the process as soon as a file is there that was not before; the summary if it came to its end. */
async function run(
  target: string,
  rule: string,
  killAt: string | undefined,
): Promise<RestoreSummary | undefined> {
  const child = spawn(process.execPath, [program, repository, tree, target, rule], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (data: Buffer) => {
    output += data.toString();
  });
  const watch = setInterval(() => {
    if (killAt !== undefined && fs.existsSync(path.join(target, killAt))) child.kill("SIGKILL");
  }, 1);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearInterval(watch);
  if (code === null) return undefined;
  expect(code).toBe(0);
  return JSON.parse(output.split("\n")[1]) as RestoreSummary;
}

/** Any file that is not there yet. */
function anyMissing(target: string): string | undefined {
  const missing = [...expected.keys()].filter((name) => !fs.existsSync(path.join(target, name)));
  return missing[Math.floor(Math.random() * missing.length)];
}

interface Found {
  readonly complete: number;
  readonly completeBytes: number;
  readonly unfinished: number;
}

/** Looks at every file that has its final name; one that does not say that it is unfinished must be right. */
function inspect(target: string): Found {
  let complete = 0;
  let completeBytes = 0;
  let unfinished = 0;
  for (const [name, hash] of expected) {
    const file = path.join(target, name);
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    if ((stat.mode & 0o7777) === unfinishedMode) unfinished += 1;
    else {
      const content = fs.readFileSync(file);
      expect(createHash("sha256").update(content).digest("hex"), name).toBe(hash);
      expect(stat.mtimeMs).toBeCloseTo(1_600_000_000_123.456, 0);
      complete += 1;
      completeBytes += content.length;
    }
  }
  return { complete, completeBytes, unfinished };
}

describe("a restore that is killed", () => {
  for (const rule of overwriteRules) {
    it(`finishes when run again, without rewriting what is right (${rule})`, async () => {
      const target = path.join(base, `target-${rule}`);
      let summary: RestoreSummary | undefined;
      let before: Found = { complete: 0, completeBytes: 0, unfinished: 0 };
      let kills = 0;
      let interrupted = 0;
      for (; summary === undefined; kills += 1) {
        const killAt = kills >= killsMax ? undefined : anyMissing(target);
        summary = await run(target, rule, killAt);
        const found = fs.existsSync(target) ? inspect(target) : before;
        expect(found.complete).toBeGreaterThanOrEqual(before.complete);
        if (summary === undefined && found.complete < expected.size && found.complete > 0)
          interrupted += 1;
        if (summary === undefined) before = found;
      }
      expect(inspect(target)).toEqual({
        complete: expected.size,
        completeBytes: totalBytes,
        unfinished: 0,
      });
      expect(summary.errors).toBe(0);
      expect(summary.bytesRestored).toBeLessThanOrEqual(totalBytes - before.completeBytes);
      expect(interrupted).toBeGreaterThan(0);
    });
  }
});
