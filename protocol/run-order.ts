/**
 * What passes between the control side and one engine process: a run order on its standard input (one line of JSON),
 * messages on its standard output (one line each), of which the last is a report. The standard input stays open: answers
 * to the engine's questions follow (one line each), and when it ends, whoever gave the order is gone or wants the run to
 * end in order. Secrets travel on the standard input only: never in arguments or environment.
 */
import type { ObeyedStand, RepositoryStand } from "./control/repository-stand.ts";
import type { Immutability } from "./immutability.ts";
import type { RequestSums } from "./request-sums.ts";

export const runOrderVersion = 2;

export interface RunOrder {
  readonly version: typeof runOrderVersion;
  readonly sessionId: string;
  readonly repository: RepositoryOrder;
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
  readonly work: RunWork;
}

export interface RepositoryOrder {
  /** Ways to it, at least one; the next is tried if one is out of reach at the start, and never later. */
  readonly routes: readonly RouteOrder[];
  readonly password: string;
  /** What it had before, newest first: if one of them opens it, it gets `password` in its place. */
  readonly previousPasswords?: readonly string[];
  /** Add a key for a password that is made up for it and told in a message; not for one that is there already. */
  readonly recovery?: {
    /** Name of the key file that it takes the place of. */
    readonly replaces?: string;
  };
  /** Of a repository of a server: whether it takes part. */
  readonly stand?: StandOrder;
  /** Locks what a backup leaves and what that needs. */
  readonly immutability?: Immutability;
  /** Of new packs, in the storage's own word. */
  readonly storageClass?: string;
  /** Make it if there is none. */
  readonly create: boolean;
}

/** By what an engine knows whether its repository is in maintenance or sealed. */
export interface StandOrder {
  readonly tenantId: string;
  readonly repositoryId: string;
  /** What the server has told; a newer one in the storage counts. */
  readonly known?: RepositoryStand;
  /** Who may sign what lies in the storage. */
  readonly keys: readonly { readonly id: string; readonly key: string }[];
}

/** Everything in it that nobody else may read. */
export function secretsOf({ password, previousPasswords, routes }: RepositoryOrder): string[] {
  const settings = routes.flatMap((route) =>
    // The hosts that need no proxy are in every log.
    Object.entries(route.settings ?? {}).flatMap(([name, value]) =>
      /^no_proxy$/i.test(name) ? [] : value,
    ),
  );
  return [password, ...(previousPasswords ?? []), ...settings];
}

/** `direct`: the storage itself. `gateway`: the management server's. */
export const routeKinds = ["direct", "gateway"] as const;
export type RouteKind = (typeof routeKinds)[number];

export interface RouteOrder {
  readonly kind: RouteKind;
  /** As `--repo` takes it. */
  readonly url: string;
  /** What restic takes from the environment for this kind of storage (`AWS_ACCESS_KEY_ID` and so on). */
  readonly settings?: Readonly<Record<string, string>>;
  /** Id of the server's repository for which it issues accounts that end: they are asked for with a message. */
  readonly issuedFor?: string;
}

/** An account of a storage that ends. */
export interface RouteAccount {
  /** Like those of a route. */
  readonly settings: Readonly<Record<string, string>>;
  /** By the clock of who made it, ms since 1970. */
  readonly expiresMs: number;
  /** What is left of its life at the moment of telling, ms; above 0. */
  readonly remainingMs: number;
}

/** What an engine is told after its order: the answer to each `account` message. */
export interface AccountAnswer {
  readonly type: "account";
  readonly route: number;
  readonly answer:
    | RouteAccount
    /** There is none: for now (`temporary`), or for this run. */
    | { readonly kind: "temporary" | "permanent"; readonly problem: string };
}

export type RunWork = BackupWork | RestoreWork | CheckWork;

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

/** When something is in the way of a restore. */
export const overwriteRules = ["always", "if-changed", "if-newer", "never"] as const;
export type OverwriteRule = (typeof overwriteRules)[number];

/** One restore into a folder. */
export interface RestoreWork {
  readonly kind: "restore";
  /** Whose newest snapshot `latest` means. */
  readonly hostName: string;
  /** Id of a snapshot, the first digits of one, or `latest`. */
  readonly snapshot: string;
  /** Absolute paths in the snapshot, UTF-8; empty: all. They keep their folders below the target. */
  readonly paths: readonly string[];
  /** Absolute; made if it does not exist. */
  readonly target: string;
  /** Refuse a target that holds anything. */
  readonly onlyIntoEmpty: boolean;
  readonly overwrite: OverwriteRule;
  /** Read every file back and compare it. */
  readonly verify: boolean;
}

export interface CheckWork {
  readonly kind: "check";
  /** `structure`; or also data: `all`, or a part of it as --read-data-subset takes it. */
  readonly data: string;
}

/** What an engine says while it works. */
export type EngineMessage =
  /** At most four a second, and only when something has changed. */
  | { readonly type: "progress"; readonly progress: RunProgress }
  /** A sign of life, every ten seconds or so. */
  | { readonly type: "alive" }
  /** The first thousand; the rest is counted. */
  | { readonly type: "issue"; readonly issue: RunIssue }
  /** Once, when the repository was reached: by that route of the order, counted from 0. */
  | { readonly type: "route"; readonly route: number }
  /** It needs an account for that route; the storage has refused the one before if `isRefused`. One question at a time. */
  | { readonly type: "account"; readonly route: number; readonly isRefused: boolean }
  /** Once, of a repository that has one: the stand that this session obeys. */
  | { readonly type: "stand"; readonly stand: ObeyedStand }
  /** A recovery key was added, and this is its password: in this message only, never in a file. */
  | { readonly type: "recovery"; readonly keyName: string; readonly password: string }
  /** The repository has the password of the order now; the old one too, if its key could not be removed. */
  | {
      readonly type: "password-changed";
      readonly keyName: string;
      readonly oldKeyProblem?: string;
    }
  | { readonly type: "report"; readonly report: RunReport };

export interface RunProgress {
  /** Files; entries of a restore; files, packs or trees of one phase of a check. */
  readonly filesDone: number;
  readonly bytesDone: number;
  readonly filesTotal?: number;
  readonly bytesTotal?: number;
  readonly currentFiles: readonly string[];
  readonly issues: number;
  readonly elapsedMs: number;
  /** Of a restore or a check. */
  readonly phase?: string;
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
  readonly restore?: RestoreFigures;
  readonly check?: CheckFigures;
  /** Of a repository that is reached by requests. */
  readonly traffic?: RequestSums;
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
  /** Until when it and what it needs can't be removed; absent if it was not to be locked, or is not. */
  readonly lockedUntilMs?: number;
  /** Why it was to be locked and is not, or not all of it. */
  readonly lockProblem?: string;
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

export interface RestoreFigures {
  readonly snapshotId: string;
  readonly entriesTotal: number;
  readonly entriesRestored: number;
  readonly entriesUnchanged: number;
  /** Left as they were, by the overwrite rule. */
  readonly entriesSkipped: number;
  readonly entriesFailed: number;
  readonly bytesRestored: number;
  readonly filesVerified: number;
  readonly errors: number;
  readonly warnings: number;
}

export interface CheckFigures {
  readonly snapshots: number;
  readonly packs: number;
  /** Packs of which every byte was read and verified. */
  readonly packsRead: number;
  readonly bytesRead: number;
  /** The repository is sound if this is 0. */
  readonly problems: number;
}
