/** A ground for the tests of the server's rooms: a real database, a vault, an audit log, and a clock that the test sets. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach } from "vitest";
import { openDatabase } from "../../server/database/open-database.ts";
import { AuditLog } from "../../server/ground/audit-log.ts";
import { openJsonLog } from "../../server/ground/json-log.ts";
import { LocalWakeups } from "../../server/ground/local-wakeups.ts";
import type { ServerGround, ServerSettings } from "../../server/ground/server-ground.ts";
import { openVault } from "../../server/ground/vault.ts";
import { eachDatabase } from "./each-database.ts";

/** The clock of a new test ground: 2026-07-01 12:00 UTC. */
export const testStartMs = Date.UTC(2026, 6, 1, 12);

export interface TestGround extends ServerGround {
  readonly audit: AuditLog;
  /** Lines that were logged, without line feeds. */
  readonly logged: readonly string[];
  setTime(nowMs: number): void;
  /** Lets so much time pass. */
  advance(byMs: number): void;
  close(): Promise<void>;
}

/** Opens the database at `address` and puts a ground on it. */
export async function makeTestGround(
  address: string,
  settings: Partial<ServerSettings> = {},
): Promise<TestGround> {
  const { database, dialect, close } = await openDatabase(address);
  const vault = openVault(randomBytes(32));
  const stopping = new AbortController();
  const dataFolder = mkdtempSync(path.join(tmpdir(), "backstay-ground-"));
  const logged: string[] = [];
  let nowMs = testStartMs;
  const now = (): number => nowMs;
  return {
    database,
    dialect,
    now,
    vault,
    wakeups: new LocalWakeups(),
    audit: new AuditLog({ dialect, vault, now }),
    settings: {
      publicUrls: ["https://backup.example"],
      pins: [],
      dataFolder,
      pollSeconds: 300,
      wakeHoldSeconds: 50,
      wakesMax: 1000,
      bundleSpreadSeconds: 60,
      trustedProxies: [],
      ...settings,
    },
    log: openJsonLog({ now, level: "debug", write: (line) => logged.push(line.trimEnd()) }),
    logged,
    signal: stopping.signal,
    setTime: (toMs) => {
      nowMs = toMs;
    },
    advance: (byMs) => {
      nowMs += byMs;
    },
    close: async () => {
      stopping.abort();
      await close();
      rmSync(dataFolder, { recursive: true, force: true });
    },
  };
}

/** Describes `body` once for each database, with a new ground for each test; `ground()` is that of the running test. */
export function eachGround(title: string, body: (ground: () => TestGround) => void): void {
  eachDatabase(title, (fresh) => {
    let ground: TestGround;
    beforeEach(async () => {
      ground = await makeTestGround(await fresh());
    });
    afterEach(async () => {
      await ground.close();
    });
    body(() => ground);
  });
}
