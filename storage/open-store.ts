/** Turns a repository's address, as people write it, into the store it names. */
import type { DurabilityWarning } from "../platform/ports/durable-files.ts";
import { BackstayError } from "../protocol/backstay-error.ts";
import { LocalStore } from "./local/local-store.ts";
import type { ObjectStore } from "./object-store.ts";

export interface OpenStoreOptions {
  /** Where the credentials of remote stores are, under restic's names; a local store needs none. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Told when a store cannot keep its promise of durability. */
  readonly warn?: (warning: DurabilityWarning) => void;
}

/** What is a path whatever colons it holds: absolute, beginning with a dot, or with a drive's letter. */
const plainPath = /^(?:[/\\]|\.{1,2}(?:[/\\]|$)|[a-z]:)/i;
const schemeOfAddress = /^([a-z][a-z0-9+.-]+):/i;

/**
 * Opens the store that `address` names: a path, or `local:` and a path. Nothing is read or made yet.
 *
 * `s3:`, `azure:`, `gs:`, `rest:` and any other word before a colon name stores that are not built in:
 * STORE_UNSUPPORTED. USAGE if the address is empty.
 */
export function openStore(address: string, options: OpenStoreOptions = {}): ObjectStore {
  const { warn } = options;
  return new LocalStore(localPath(address), warn === undefined ? {} : { warn });
}

function localPath(address: string): string {
  const scheme = plainPath.test(address) ? undefined : schemeOfAddress.exec(address)?.[1];
  // The rest of the address may hold a password, so only the kind is told.
  if (scheme !== undefined && scheme !== "local")
    throw new BackstayError("STORE_UNSUPPORTED", { kind: scheme });
  const path = scheme === undefined ? address : address.slice("local:".length);
  if (path === "")
    throw new BackstayError("USAGE", { problem: "the repository's address is empty" });
  return path;
}
