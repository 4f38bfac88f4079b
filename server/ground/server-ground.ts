/** What every room of the server stands on. Made once at start by server/serve; rooms get it and nothing global. */
import type { Kysely, Transaction } from "kysely";
import type { Dialect } from "../database/migrations.ts";
import type { Tables } from "../database/tables.ts";

/** The database itself, or one transaction of it: queries take either. */
export type Queries = Kysely<Tables> | Transaction<Tables>;

export interface ServerGround {
  /** See open-database.ts for what must not be done in a transaction. */
  readonly database: Kysely<Tables>;
  /** For the few words that only one of them knows, such as FOR UPDATE. */
  readonly dialect: Dialect;
  /** Wall clock, ms since 1970. */
  readonly now: () => number;
  readonly vault: Vault;
  readonly wakeups: Wakeups;
  readonly audit: Audit;
  readonly settings: ServerSettings;
  readonly log: ServerLog;
  /** Ends everything that waits when the server stops. */
  readonly signal: AbortSignal;
}

/** How this server is reached and how it deals with its agents. */
export interface ServerSettings {
  /** Addresses that agents use, first choice first; no slash at the end. */
  readonly publicUrls: readonly string[];
  /** `sha256/…` of the certificate that agents will see; empty: their own authorities decide. */
  readonly pins: readonly string[];
  readonly dataFolder: string;
  /** Seconds between polls of an agent. */
  readonly pollSeconds: number;
  /** So long a wake request is held, seconds. */
  readonly wakeHoldSeconds: number;
  /** Most wake requests held at once by this process. */
  readonly wakesMax: number;
  /** Agents spread the fetching of a new bundle over so long, seconds. */
  readonly bundleSpreadSeconds: number;
  /** CIDR blocks of proxies whose `x-forwarded-for` is believed. */
  readonly trustedProxies: readonly string[];
}

/** Seals what must be read again by the server only (AES-256-GCM by the master key; bound to `context`). */
export interface Vault {
  seal(secret: Uint8Array, context: string): string;
  /** VAULT_UNREADABLE if it was sealed by another key or for another context. */
  open(sealed: string, context: string): Uint8Array;
  /** A key that belongs to this server for a purpose: HKDF of the master key, 32 bytes. */
  derive(purpose: string): Uint8Array;
}

/** Tells all replicas that something has changed. Lossy: whoever listens looks again after a while by itself. */
export interface Wakeups {
  /**
   * Topics: `agent:<id>` (commands), `tenant:<id>` (bundles). Never rejects. To be called when the transaction has
   * committed, never in it: whoever hears it looks at once.
   */
  publish(topic: string): Promise<void>;
  /** Returns how to end it. */
  subscribe(topic: string, listener: () => void): () => void;
}

export interface AuditEntry {
  readonly tenantId: string | null;
  readonly actor: string;
  /** `noun.verb`: `agent.revoke`. */
  readonly action: string;
  readonly target: string;
  /** Never a secret. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * Append-only and hash-chained; in the transaction of the change that it tells of, as its last query: from then on all
 * other entries wait for the end of the transaction.
 */
export interface Audit {
  record(queries: Queries, entry: AuditEntry): Promise<void>;
}

/** Fields are named by server/ground/log-fields; nothing that may hold a secret is one. */
export interface ServerLog {
  debug(text: string, fields?: Readonly<Record<string, unknown>>): void;
  info(text: string, fields?: Readonly<Record<string, unknown>>): void;
  warning(text: string, fields?: Readonly<Record<string, unknown>>): void;
  failure(text: string, error: unknown, fields?: Readonly<Record<string, unknown>>): void;
}
