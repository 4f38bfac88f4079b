/** Turns a repository address, as people write it, into the store it names. */
import type { DurabilityWarning } from "../platform/ports/durable-files.ts";
import { BackstayError } from "../protocol/backstay-error.ts";
import { LocalStore } from "./local/local-store.ts";
import type { ObjectStore } from "./object-store.ts";

export interface OpenStoreOptions {
  /** Where credentials of remote stores come from: restic's names (`AWS_…`, `AZURE_…`, `GOOGLE_…`). */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Told when a store cannot keep its promise of durability. */
  readonly warn?: (warning: DurabilityWarning) => void;
}

/** Kinds of storage that addresses name and this version does not have; the first two letters on say which. */
const unsupportedSchemes = ["s3", "azure", "gs", "rest", "sftp", "b2", "swift", "rclone"] as const;

/**
 * Opens the store that `address` names: a path, or `local:` and a path. Nothing is read or made yet.
 * STORE_UNSUPPORTED for kinds that are known but not built in, USAGE for an empty address.
 */
export function openStore(address: string, options: OpenStoreOptions = {}): ObjectStore {
  const path = address.startsWith("local:") ? address.slice("local:".length) : address;
  if (path === "")
    throw new BackstayError("USAGE", { problem: "the repository's address is empty" });
  if (path === address) {
    const scheme = unsupportedSchemes.find((known) => address.startsWith(`${known}:`));
    if (scheme !== undefined) throw new BackstayError("STORE_UNSUPPORTED", { kind: scheme });
  }
  return new LocalStore(path, options.warn === undefined ? {} : { warn: options.warn });
}
