/**
 * What passes between the control side and one engine process: a run order on its standard input (one line of JSON),
 * messages on its standard output (one line each), of which the last is a report. The standard input stays open: when
 * it ends, whoever gave the order is gone or wants the run to end in order. Secrets travel in the order only: never in
 * arguments or environment.
 */

export const runOrderVersion = 1;

export interface RunOrder {
  readonly version: typeof runOrderVersion;
  readonly sessionId: string;
  readonly repository: {
    /** As `--repo` takes it. */
    readonly url: string;
    readonly password: string;
    /** What restic takes from the environment for this kind of storage (`AWS_ACCESS_KEY_ID` and so on). */
    readonly settings?: Readonly<Record<string, string>>;
    /** Make it if there is none. */
    readonly create: boolean;
  };
  /** Where the report is left too, for a starter that did not live to read it; removed by whoever reads it. */
  readonly reportFile?: string;
  /** Folder of the metadata cache; absent: none. */
  readonly cacheRoot?: string;
  readonly limits: {
    readonly uploadBytesPerSecond?: number;
    readonly downloadBytesPerSecond?: number;
  };
  /** How long to wait for other sessions' locks. */
  readonly lockWaitMs: number;
  readonly work: BackupWork;
}

/** One file-level backup. */
export interface BackupWork {
  readonly kind: "backup";
  readonly hostName: string;
  /** Raw bytes, base64; absolute. */
  readonly paths: readonly string[];
  readonly tags: readonly string[];
  /** Gitignore-style patterns of what is left out, in order. */
  readonly exclude: readonly string[];
  readonly excludeIgnoringCase: readonly string[];
  /** Patterns, case ignored: of what is no folder only what matches one is taken. Absent: everything. */
  readonly includeMasks?: readonly string[];
  readonly excludeCaches: boolean;
  /** Each `NAME` or `NAME:HEADER`. */
  readonly excludeIfPresent: readonly string[];
  readonly excludeLargerThanBytes?: number;
  readonly oneFileSystem: boolean;
  /** Places of our own (repository, state, caches), absolute paths. */
  readonly ownPlaces: readonly string[];
  readonly compression: "off" | "fastest" | "auto" | "better" | "max";
}

/** What an engine says while it works. */
export type EngineMessage =
  /** At most four a second, and only when something has changed. */
  | { readonly type: "progress"; readonly progress: RunProgress }
  /** A sign of life, every ten seconds or so. */
  | { readonly type: "alive" }
  /** The first thousand; the rest is counted. */
  | { readonly type: "issue"; readonly issue: RunIssue }
  | { readonly type: "report"; readonly report: RunReport };

export interface RunProgress {
  readonly filesDone: number;
  readonly bytesDone: number;
  readonly filesTotal?: number;
  readonly bytesTotal?: number;
  readonly currentFiles: readonly string[];
  readonly issues: number;
  readonly elapsedMs: number;
}

/** Something that a session could not do as asked. */
export interface RunIssue {
  /** The path it is about, U+FFFD for what is not UTF-8; empty if it is about none. */
  readonly path: string;
  /** The system's error name, or a code of the error catalogue. */
  readonly code: string;
  readonly message: string;
}

/** How a run ended. `warning`: done, but not all that was asked for (exit code 3). */
export interface RunReport {
  readonly outcome: "success" | "warning" | "failure" | "canceled";
  /** As the command line would have ended. */
  readonly exitCode: number;
  /** All that were counted, whether they were told or not. */
  readonly issues: number;
  readonly error?: RunFailure;
  /** Of a backup that wrote a snapshot, or found nothing changed. */
  readonly backup?: BackupFigures;
}

export interface RunFailure {
  /** Code of the error catalogue. */
  readonly code: string;
  readonly kind: "temporary" | "permanent" | "bug";
  readonly message: string;
  readonly remedy: string;
}

export interface BackupFigures {
  readonly snapshotId?: string;
  readonly parentId?: string;
  readonly filesNew: number;
  readonly filesChanged: number;
  readonly filesUnmodified: number;
  readonly dirsNew: number;
  readonly dirsChanged: number;
  readonly dirsUnmodified: number;
  readonly dataBlobs: number;
  readonly treeBlobs: number;
  readonly totalFilesProcessed: number;
  readonly totalBytesProcessed: number;
  readonly bytesRead: number;
  readonly bytesStored: number;
  readonly dataAdded: number;
  readonly dataAddedPacked: number;
  /** Packs of an interrupted run that were taken over. */
  readonly packsRecovered: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly issues: number;
}
