import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { requirePeers } from "../peers.ts";
import { writeIncompressible, writeTexts } from "./bench-data.ts";
import { reportLines } from "./bench-report.ts";
import { rowNames, runRows } from "./bench-rows.ts";
import { hashAndSealRate } from "./ceiling.ts";
import { profileCommand } from "./cpu-profile.ts";
import { backstay, borg, restic } from "./programs.ts";

const checkout = path.resolve(import.meta.dirname, "../..");
const folders: string[] = [];

function temporary(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "backstay-bench-test-"));
  folders.push(folder);
  return folder;
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function filesBelow(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((e) => e.isFile())
    .length;
}

describe("the benchmark", () => {
  it("writes the same data every time", () => {
    const [one, two] = [temporary(), temporary()];
    for (const folder of [one, two]) {
      writeIncompressible(path.join(folder, "large"), 2, 100_000);
      writeTexts(path.join(folder, "small"), 250, path.join(checkout, "node_modules/commander"));
    }
    expect(filesBelow(path.join(one, "small"))).toBe(250);
    for (const name of readdirSync(one, { recursive: true, encoding: "utf8" }))
      expect(statSync(path.join(two, name)).size).toBe(statSync(path.join(one, name)).size);
  });

  it("compares a folder and an S3 server", () => {
    const program = path.join(checkout, "test/bench/s3-bench.ts");
    const options = "--mib 1 --files 10 --rounds 1 --server small".split(" ");
    const output = execFileSync(process.execPath, [
      "--no-warnings",
      program,
      ...options,
    ]).toString();
    expect(output).toMatch(/^backstay, folder: \d/m);
    expect(output).toMatch(/^backstay, the checkout's own small S3 server: \d/m);
  });

  it("runs every row with every program and reports each", {
    timeout: 170_000,
  }, async (context) => {
    const peers = requirePeers(context, "restic018", "borg");
    const folder = temporary();
    const sources = { large: path.join(folder, "large"), small: path.join(folder, "small") };
    writeIncompressible(sources.large, 2, 3_000_000);
    writeTexts(sources.small, 300, path.join(checkout, "node_modules/commander"));
    const programs = [backstay(checkout), restic(peers.restic018, "restic 0.18"), borg(peers.borg)];
    const results = await runRows(programs, sources, folder, 1, () => undefined);
    expect(results).toHaveLength(rowNames.length * programs.length);
    for (const { runs } of results) {
      expect(runs[0].seconds).toBeGreaterThan(0);
      expect(runs[0].peakBytes).toBeGreaterThan(1_000_000);
    }
    expect(reportLines(results, "backstay")).toHaveLength(2 + results.length);
  });

  it("profiles each thread of a backup", () => {
    const folder = temporary();
    writeTexts(path.join(folder, "small"), 50, path.join(checkout, "node_modules/commander"));
    const environment = { BACKSTAY_PASSWORD: "x" };
    const place = ["--repo", path.join(folder, "repository"), "--no-cache"];
    profileCommand(checkout, ["init", ...place], environment);
    const lines = profileCommand(checkout, ["backup", folder, ...place], environment);
    expect(lines.filter((line) => line.startsWith("thread")).length).toBeGreaterThanOrEqual(3);
  });

  it("knows what the cores can hash and seal", async () => {
    expect(await hashAndSealRate()).toBeGreaterThan(10_000_000);
  });
});
