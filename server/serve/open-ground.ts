/** Puts together what all rooms stand on: database, master key, wakeups, audit log. */
import { hostname } from "node:os";
import type { PoolConfig } from "pg";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { isPostgresAddress, type OpenDatabase, openDatabase } from "../database/open-database.ts";
import { AuditLog } from "../ground/audit-log.ts";
import { openJsonLog } from "../ground/json-log.ts";
import { LocalWakeups } from "../ground/local-wakeups.ts";
import { readMasterKey, readOrMakeMasterKey } from "../ground/master-key.ts";
import { PostgresWakeups } from "../ground/postgres-wakeups.ts";
import type { ServerGround, ServerLog, ServerSettings, Vault } from "../ground/server-ground.ts";
import { openVault } from "../ground/vault.ts";
import type { DataFolder } from "./data-folder.ts";
import type { ServerOptions } from "./server-options.ts";

export interface OpenGround {
  readonly ground: ServerGround & { readonly audit: AuditLog };
  /** To be changed only until the rooms are made: the port may be known late, and the certificate. */
  readonly settings: Mutable<ServerSettings>;
  close(): Promise<void>;
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

const vaultFact = "vault";
const vaultContext = "server fact: vault";

/**
 * Opens it all. DATABASE_UNREACHABLE, DATABASE_NEWER, DATABASE_FOREIGN; VAULT_KEY if the master key is missing though the
 * database has one, VAULT_UNREADABLE if it is another one. `signal` ends what waits.
 */
export async function openGround(
  options: ServerOptions,
  folder: DataFolder,
  signal: AbortSignal,
): Promise<OpenGround> {
  const { now } = options;
  const log = openJsonLog({ now, level: options.logLevel, write: options.writeLog });
  const { database: address } = options;
  if (address !== undefined && !isPostgresAddress(address))
    throw new BackstayError("DATABASE_UNREACHABLE", { problem: "its address is not postgres://…" });
  const opened = await openDatabase(address ?? folder.databaseFile);
  const { database, dialect } = opened;
  try {
    const vault = await openVaultOf(opened, options, folder);
    const wakeups = openWakeups(opened, log);
    const settings = settingsOf(options);
    if (address !== undefined && settings.publicUrls.length === 0)
      log.warning("Replicas must all be given the same addresses for agents (--public-url).");
    const audit = new AuditLog({ dialect, vault, now });
    return {
      settings,
      ground: { database, dialect, now, vault, wakeups, audit, settings, log, signal },
      close: async () => {
        if (wakeups instanceof PostgresWakeups) await wakeups.close();
        await opened.close();
      },
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

function openWakeups(
  { database, connection }: OpenDatabase,
  log: ServerLog,
): LocalWakeups | PostgresWakeups {
  if (connection === undefined) return new LocalWakeups();
  const { max: _pool, ...single }: PoolConfig = connection;
  return new PostgresWakeups({ database, connection: single, log });
}

/** The vault of this database: its master key is the one with which the database was begun. */
async function openVaultOf(
  { database }: OpenDatabase,
  { masterKeyFile }: ServerOptions,
  folder: DataFolder,
): Promise<Vault> {
  const read = async (): Promise<string | undefined> =>
    (
      await database
        .selectFrom("server_facts")
        .select("value")
        .where("name", "=", vaultFact)
        .executeTakeFirst()
    )?.value;
  const never = new AbortController().signal;
  const isBegun = (await read()) !== undefined;
  const masterKey =
    masterKeyFile !== undefined
      ? await readMasterKey(masterKeyFile)
      : isBegun
        ? await readMasterKey(folder.masterKeyFile)
        : await readOrMakeMasterKey(folder.masterKeyFile, never);
  const vault = openVault(masterKey);
  if (!isBegun)
    await database
      .insertInto("server_facts")
      .values({ name: vaultFact, value: vault.seal(Buffer.from(hostname()), vaultContext) })
      .onConflict((conflict) => conflict.column("name").doNothing())
      .execute();
  const fact = await read();
  if (fact === undefined) throw new BackstayError("DATABASE_FOREIGN", { problem: vaultFact });
  vault.open(fact, vaultContext);
  return vault;
}

function settingsOf(options: ServerOptions): Mutable<ServerSettings> {
  return {
    publicUrls: (options.publicUrls ?? []).map((url) => url.replace(/\/+$/, "")),
    pins: options.pins ?? [],
    dataFolder: options.dataFolder,
    pollSeconds: options.pollSeconds ?? 300,
    wakeHoldSeconds: options.wakeHoldSeconds ?? 50,
    wakesMax: options.wakesMax ?? 50_000,
    bundleSpreadSeconds: options.bundleSpreadSeconds ?? 60,
    trustedProxies: options.trustedProxies ?? [],
  };
}
