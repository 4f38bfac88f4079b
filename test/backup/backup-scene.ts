/** A folder to back up, a repository and a cache, in one place that goes away: the scene of most tests of backups. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type {
  BackupEvents,
  BackupIssue,
  BackupRequest,
  BackupSummary,
} from "../../agent/backup/backup-request.ts";
import { runBackup } from "../../agent/backup/run-backup.ts";
import { Repository } from "../../agent/repository/repository.ts";
import { LocalStore } from "../../storage/local/local-store.ts";
import { MemoryStore } from "../../storage/memory/memory-store.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import { newMemoryFolder } from "../memory-folder.ts";

export const scenePassword = "correct horse";
const password = new TextEncoder().encode(scenePassword);
const scrypt = { N: 16, r: 1, p: 1 };
const never = new AbortController().signal;

/** What a backup in a scene may differ in. */
export type SceneRequest = Partial<BackupRequest> & {
  /** Instead of the scene's own store. */
  readonly store?: ObjectStore;
  readonly signal?: AbortSignal;
  readonly onIssue?: (issue: BackupIssue) => void;
  readonly events?: Omit<BackupEvents, "issue">;
  /** Without the scene's cache. */
  readonly withoutCache?: boolean;
};

export interface SceneBackup extends BackupSummary {
  /** Hex. */
  readonly snapshot: string;
  readonly named: readonly BackupIssue[];
}

export class BackupScene {
  readonly folder: string;
  /** What is backed up. */
  readonly source: string;
  readonly cacheRoot: string;
  /** Where the repository lies, if it lies in a folder. */
  readonly repositoryFolder: string;
  readonly store: ObjectStore;

  private constructor(folder: string, kind: "memory" | "local") {
    this.folder = folder;
    this.source = path.join(folder, "source");
    this.cacheRoot = path.join(folder, "cache");
    this.repositoryFolder = path.join(folder, "repository");
    this.store = kind === "memory" ? new MemoryStore() : new LocalStore(this.repositoryFolder);
    mkdirSync(this.source);
  }

  /** A scene with an empty source and a new repository. */
  static async create(kind: "memory" | "local" = "memory"): Promise<BackupScene> {
    const scene = new BackupScene(newMemoryFolder("backup-scene-"), kind);
    await Repository.init(scene.store, { password, signal: never, scrypt });
    return scene;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A path in the source. */
  at(name: string): string {
    return path.join(this.source, name);
  }

  /** Writes a file of the source, with its folders. */
  write(name: string, content: string | Uint8Array): string {
    const place = this.at(name);
    mkdirSync(path.dirname(place), { recursive: true });
    writeFileSync(place, content);
    return place;
  }

  /** The repository, opened as a new process would. */
  async open(store: ObjectStore = this.store, withoutCache = false): Promise<Repository> {
    const cacheRoot = withoutCache ? undefined : this.cacheRoot;
    return await Repository.open(store, { password, signal: never, cacheRoot });
  }

  /** Backs up the source; a snapshot must come of it. */
  async backup(given: SceneRequest = {}): Promise<SceneBackup> {
    const { summary, named } = await this.run(given);
    if (summary.snapshotId === undefined) throw new Error("there is no snapshot");
    return { ...summary, snapshot: summary.snapshotId, named };
  }

  /** Backs up the source, whatever comes of it. */
  async run(
    given: SceneRequest = {},
  ): Promise<{ summary: BackupSummary; named: readonly BackupIssue[] }> {
    const { store, signal, onIssue, events, withoutCache, ...request } = given;
    const repository = await this.open(store, withoutCache);
    const named: BackupIssue[] = [];
    const issue = (found: BackupIssue): void => {
      named.push(found);
      onIssue?.(found);
    };
    const summary = await runBackup(
      repository,
      {
        paths: [new Uint8Array(Buffer.from(this.source))],
        hostName: "scene",
        tags: [],
        selection: { patterns: [], markers: [], oneFileSystem: false, ownPlaces: [] },
        compression: "auto",
        dryRun: false,
        lockWaitMs: 0,
        ...request,
      },
      { ...events, issue },
      signal ?? never,
    );
    return { summary, named };
  }
}
