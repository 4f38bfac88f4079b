/**
 * A storage that acknowledges and forgets: Azurite keeps what it knows in memory for some seconds, so that killing it loses
 * packs that a backup believes stored. The backup goes on with the server that came back; the next check has to find them.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ObjectStore } from "../../storage/object-store.ts";
import { openStore } from "../../storage/open-store.ts";
import { Azurite } from "../object-storage/azurite.ts";
import { backstayOn, type Outcome, type RepositoryProgram } from "../programs.ts";

const never = new AbortController().signal;
const repository = "azure:backups:/forgotten";
const sourceBytes = 64 * 1024 * 1024;
const kibibytesPerSecond = 20_000;

let folder: string;
let azurite: Azurite;
let store: ObjectStore;
let program: RepositoryProgram;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-azurite-forgets-"));
  azurite = await Azurite.start({ folder: path.join(folder, "azurite") });
  const { environment } = azurite;
  store = openStore(repository, { environment });
  const cache = path.join(folder, "cache");
  program = backstayOn({ repository, password: "forgets", cache, environment });
  mkdirSync(path.join(folder, "source"));
});
afterAll(async () => {
  await store.close();
  await azurite.stop();
  execFileSync("rm", ["-rf", folder]);
});

async function packs(): Promise<Set<string>> {
  const files = await Array.fromAsync(store.list("data", never));
  return new Set(files.map(({ name }) => name));
}

/** Ends it and starts it again at the same place and port. What it knows when it ends in order it knows for good. */
async function restart(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  const { port } = azurite;
  await azurite.stop(signal);
  azurite = await Azurite.start({ folder: path.join(folder, "azurite"), port });
}

/** A backup of something new, in which the server is killed after a pack; and the packs that it has forgotten. */
async function backUpThroughKill(): Promise<{
  readonly lost: string[];
  readonly outcome: Outcome;
}> {
  const source = path.join(folder, "source");
  writeFileSync(path.join(source, "large"), randomBytes(sourceBytes));
  const running = program.run("backup", source, "--limit-upload", String(kibibytesPerSecond));
  // The session's lock is to outlive the kill: it would stop without it.
  while ((await Array.fromAsync(store.list("locks", never))).length === 0);
  await restart("SIGTERM");
  const kept = await packs();
  let seen = kept;
  while (seen.size === kept.size) seen = await packs();
  await restart("SIGKILL");
  const outcome = await running;
  const after = await packs();
  return { lost: [...seen].filter((name) => !after.has(name)), outcome };
}

it("is found out by the next check, which names the packs that are gone", async () => {
  await program.succeed("init");
  let { lost, outcome } = await backUpThroughKill();
  // Chance may have it that it wrote everything down just before.
  while (lost.length === 0) {
    expect((await program.run("check")).exitCode).toBe(0);
    ({ lost, outcome } = await backUpThroughKill());
  }
  expect(outcome).toMatchObject({ exitCode: 0 });
  const check = await program.run("check");
  expect(check.exitCode).toBe(1);
  for (const name of lost) expect(check.stderr).toContain(`pack-missing: pack ${name}`);
  expect(check.stderr).toContain("hurts 1 snapshot");
});
