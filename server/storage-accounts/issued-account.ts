/** What makes accounts of one kind of storage. */
import type { StorageIssuer } from "../../protocol/control/storage-issuer.ts";

/** For whom, where, and with what an account is made. */
export interface AccountOrder<Kind extends StorageIssuer["kind"] = StorageIssuer["kind"]> {
  readonly issuer: Extract<StorageIssuer, { kind: Kind }>;
  /** As --repo takes it, `{tenant}` and `{agent}` filled in. */
  readonly address: string;
  readonly agentId: string;
  /** Of the server's own account, under restic's names. */
  readonly own: Readonly<Record<string, string | undefined>>;
  /** Ms since 1970. */
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

export interface IssuedAccount {
  /** Under restic's names. */
  readonly settings: Readonly<Record<string, string>>;
  /** Ms since 1970. */
  readonly expiresMs: number;
}

/** The last part of an address: `prefix` without a slash at its end, empty if there is none. */
export interface OwnPlace {
  /** Bucket or container. */
  readonly bucket: string;
  readonly prefix: string;
}

/** Of an `azure:` or `gs:` address. */
export function ownPlace(address: string): OwnPlace {
  const [, bucket = "", path = ""] = /^[a-z]+:([^:/]+):\/*(.*)$/.exec(address) ?? [];
  return { bucket, prefix: cleaned(path) };
}

function cleaned(path: string): string {
  return path
    .split("/")
    .filter((part) => part !== "")
    .join("/");
}
