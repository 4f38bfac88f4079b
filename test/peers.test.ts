/** Peers are found by their version, and a missing one is said. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { findPeers, reportMissing } from "./peers.ts";

let folder = "";

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-peers-"));
  program("own/bin/restic", "echo 'restic 0.18.0 compiled with go1.24 on linux/amd64'");
  program("system/restic", "echo 'restic 0.14.0 compiled with go1.19 on linux/amd64'");
  program("system/borg", '[ "$1" = --version ] && echo "borg 1.2.4"');
  program("other/restic", "echo 'restic 0.16.4 compiled with go1.22 on linux/amd64'");
  program("other/borg", "exit 3");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function program(file: string, script: string): void {
  const place = path.join(folder, file);
  mkdirSync(path.dirname(place), { recursive: true });
  writeFileSync(place, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

const at = (...parts: string[]): string => path.join(folder, ...parts);

it("two versions of one program are told apart, in any order of folders", () => {
  const expected = {
    restic018: at("own/bin/restic"),
    restic014: at("system/restic"),
    borg: at("system/borg"),
  };
  expect(findPeers({ PATH: at("system"), BACKSTAY_PEERS: at("own") })).toEqual(expected);
  const all = [at("other"), at("nowhere"), at("own/bin"), at("system")];
  expect(findPeers({ PATH: all.join(path.delimiter) })).toEqual(expected);
});

it("a program of another version, or one that fails, is no peer", () => {
  expect(findPeers({ PATH: at("other") })).toEqual({});
  expect(findPeers({})).toEqual({});
});

it("a missing peer skips the test with the reason, and fails it in CI", () => {
  const notes: (string | undefined)[] = [];
  const context = { skip: (note?: string): unknown => notes.push(note) };
  const reason = "restic 0.18 and borg 1.2 not found in PATH or in $BACKSTAY_PEERS/bin";
  reportMissing(context, ["restic018", "borg"], false);
  expect(notes).toEqual([reason]);
  expect(() => reportMissing(context, ["restic018", "borg"], true)).toThrow(reason);
  expect(notes).toHaveLength(1);
});
