/**
 * `npm run bench`: Backstay against restic and borg on the same data, in one run. `--small` for a quick
 * look, `--profile` to see where our time goes, `--repeats N`, `--only NAME` (a program), `--folder DIR`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { findPeers } from "../peers.ts";
import { writeIncompressible, writeTexts } from "./bench-data.ts";
import { reportLines } from "./bench-report.ts";
import { runRows } from "./bench-rows.ts";
import { hashAndSealRate } from "./ceiling.ts";
import { profileCommand } from "./cpu-profile.ts";
import { type BenchProgram, backstay, borg, restic } from "./programs.ts";

const checkout = path.resolve(import.meta.dirname, "../..");
const { values } = parseArgs({
  options: {
    small: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
    repeats: { type: "string", default: "3" },
    only: { type: "string" },
    folder: { type: "string" },
  },
});

const sizes = values.small
  ? { largeBytes: 64 * 1024 * 1024, files: 5000 }
  : { largeBytes: 1024 * 1024 * 1024, files: 200_000 };

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

function programs(): BenchProgram[] {
  const peers = findPeers(process.env);
  const all = [backstay(checkout)];
  if (peers.restic018 === undefined) say("restic 0.18 is not installed: left out");
  else all.push(restic(peers.restic018, "restic 0.18"));
  if (peers.borg === undefined) say("borg is not installed: left out");
  else all.push(borg(peers.borg));
  return all.filter(({ name }) => values.only === undefined || name === values.only);
}

const folder = mkdtempSync(path.join(values.folder ?? tmpdir(), "backstay-bench-"));
try {
  const sources = { large: path.join(folder, "large"), small: path.join(folder, "small") };
  say("writing the data …");
  writeIncompressible(sources.large, 2, sizes.largeBytes);
  writeTexts(sources.small, sizes.files, path.join(checkout, "node_modules"));
  if (values.profile) {
    const place = path.join(folder, "place");
    const environment = { BACKSTAY_PASSWORD: "benchmark" };
    const repository = [
      "--repo",
      path.join(place, "repository"),
      "--cache-dir",
      path.join(place, "cache"),
    ];
    profileCommand(checkout, ["init", ...repository], environment);
    for (const [name, source] of Object.entries(sources)) {
      say(`\nbackup of ${name} files`);
      for (const line of profileCommand(checkout, ["backup", source, ...repository], environment))
        say(line);
    }
  } else {
    const rate = await hashAndSealRate();
    const results = await runRows(programs(), sources, folder, Number(values.repeats), (result) => {
      const seconds = result.runs.map((run) => run.seconds.toFixed(2)).join(" ");
      say(`${result.row}, ${result.program}: ${seconds} s`);
    });
    say("");
    for (const line of reportLines(results, "backstay")) say(line);
    const ours = results.find(
      ({ row, program }) => row === "initial, large files" && program === "backstay",
    );
    if (ours !== undefined) {
      const reached = (2 * sizes.largeBytes) / Math.min(...ours.runs.map((run) => run.seconds));
      const share = ((100 * reached) / rate).toFixed(0);
      say(
        `\nhash and seal alone: ${(rate / 1e6).toFixed(0)} MB/s; initial backup of large files: ${share} % of it`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
