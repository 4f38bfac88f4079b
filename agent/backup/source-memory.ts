/**
 * Where a source's catalog and journals lie: in the repository's cache, by host and paths; without a
 * cache in a private temporary folder that goes away with the run.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { isProcessAlive } from "../../platform/process-identity.ts";
import { idFromHex, idToHex } from "../repository/id.ts";
import type { Repository } from "../repository/repository.ts";
import type { NamedSnapshot } from "../repository/snapshot/snapshot-finder.ts";
import { writeCatalogOfSnapshot } from "./catalog/catalog-from-snapshot.ts";
import { CatalogReader } from "./catalog/catalog-reader.ts";

/** Names that `CatalogWriter` gives to what it has not finished. */
const unfinishedName = /^([0-9a-f]+)\.catalog\.(\d+)-\d+-\d+\.new$/;

export class SourceMemory {
  /** The folder that holds it all. */
  readonly folder: string;
  readonly catalog: string;
  readonly fileJournal: string;
  readonly packJournal: string;
  /** False if nothing here outlives the run. */
  readonly isLasting: boolean;
  readonly #temporary: string | undefined;

  private constructor(base: string, temporary: string | undefined) {
    this.folder = path.dirname(base);
    this.catalog = `${base}.catalog`;
    this.fileJournal = `${base}.files`;
    this.packJournal = `${base}.packs`;
    this.isLasting = temporary === undefined;
    this.#temporary = temporary;
  }

  /** The place for a source; undefined if not even a temporary folder can be made. */
  static open(
    repository: Repository,
    hostName: string,
    paths: readonly string[],
  ): SourceMemory | undefined {
    const name = createHash("sha256")
      .update(JSON.stringify([hostName, [...paths].sort()]))
      .digest("hex")
      .slice(0, 32);
    const { cache } = repository;
    try {
      if (cache !== undefined) {
        const folder = path.join(cache.directory, "sources");
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        removeUnfinished(folder, name);
        return new SourceMemory(path.join(folder, name), undefined);
      }
      const temporary = mkdtempSync(path.join(tmpdir(), "backstay-"));
      return new SourceMemory(path.join(temporary, name), temporary);
    } catch {
      // A disk that is full or read-only: the run then reads every file.
      return undefined;
    }
  }

  /** True if a run was interrupted, whose packs are to be looked for. */
  get hasPackJournal(): boolean {
    return existsSync(this.packJournal);
  }

  /** Hex id of the snapshot that the catalog describes; undefined if there is no catalog. */
  get describedSnapshot(): string | undefined {
    const reader = CatalogReader.open(this.catalog);
    reader?.close();
    return reader === undefined ? undefined : idToHex(reader.snapshotId);
  }

  /** Sees to it that the catalog describes `parent`: if it does not, it is made from the repository. False if that fails. */
  async describe(
    repository: Repository,
    parent: NamedSnapshot,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (this.describedSnapshot === parent.id) return true;
    try {
      const id = idFromHex(parent.id);
      const { tree } = parent.snapshot;
      return await writeCatalogOfSnapshot(repository, tree, id, this.catalog, signal);
    } catch {
      signal.throwIfAborted();
      // A damaged parent heals by reading everything again.
      return false;
    }
  }

  /** Forgets what only an interrupted run would need. Never throws. */
  forgetJournals(): void {
    tryRemove(this.fileJournal);
    tryRemove(this.packJournal);
  }

  /** Removes what does not outlive the run. Never throws. */
  close(): void {
    if (this.#temporary !== undefined) tryRemove(this.#temporary);
  }
}

/** Removes catalogs that killed runs left unfinished. */
function removeUnfinished(folder: string, name: string): void {
  for (const entry of readdirSync(folder)) {
    const parts = unfinishedName.exec(entry);
    if (parts?.[1] !== name) continue;
    const pid = Number(parts[2]);
    if (pid !== process.pid && !isProcessAlive(pid)) tryRemove(path.join(folder, entry));
  }
}

function tryRemove(place: string): void {
  try {
    rmSync(place, { recursive: true, force: true });
  } catch {
    // A disk that became read-only: what stays there is checked before it is believed.
  }
}
