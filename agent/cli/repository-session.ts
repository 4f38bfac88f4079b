/** Opens the repository that a command works on, with its password, its cache and its lock, and closes it again. */
import { readFile } from "node:fs/promises";
import { durabilityWarningText } from "../../platform/ports/durable-files.ts";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import { openSteadyStore } from "../../storage/open-steady-store.ts";
import type { RequestCounts } from "../../storage/request-counts.ts";
import { damagedPackText } from "../repository/blob/blob-loader.ts";
import type { RepositoryLock } from "../repository/lock/repository-lock.ts";
import { Repository } from "../repository/repository.ts";
import { ruleOfObjects } from "../repository/retention/lock-generation.ts";
import type { Invocation } from "./command.ts";
import type { Environment } from "./environment.ts";
import { failureLine } from "./error-report.ts";
import type { GlobalOptions } from "./global-options.ts";
import type { NewObjects } from "./new-object-options.ts";
import { findPassword } from "./password-source.ts";
import { secretBytes } from "./secret-text.ts";

/** How a command uses the storage. */
export interface StorageUse {
  /** Where requests are counted. */
  readonly counts?: RequestCounts;
  /** Of a command that writes. */
  readonly newObjects?: NewObjects;
}

export interface SessionOptions extends StorageUse {
  /** `shared` for what reads, `exclusive` for what deletes, `none` for what locks by itself. */
  readonly lock: "none" | "shared" | "exclusive";
}

type Asking = Pick<Invocation, "globals" | "environment" | "screen" | "signal">;

/**
 * Opens the repository, does `work`, and gives lock and store back whatever happens. Rejects as
 * `Repository.open` and `Repository.lock` do, USAGE if no repository or password is named.
 */
export async function withRepository<T>(
  invocation: Asking,
  options: SessionOptions,
  work: (repository: Repository) => Promise<T>,
): Promise<T> {
  const { globals, signal, screen } = invocation;
  const store = await openNamedStore(invocation, options);
  try {
    // Before the password is asked for: there may be nothing that it could open.
    if ((await store.stat({ type: "config", name: "" }, signal)) === undefined)
      throw new BackstayError("REPOSITORY_MISSING", { repository: store.location });
    const password = await findPassword({
      options: globals.password,
      environment: invocation.environment,
      screen,
      signal,
      question: `password for ${store.location}`,
      twice: false,
    });
    const repository = await Repository.open(store, {
      password,
      cacheRoot: globals.cacheRoot,
      damagedPack: (pack, error) => noteDamagedPack(invocation, pack, error),
      signal,
    });
    const { lock } = options;
    if (lock === "none" || (lock === "shared" && !globals.lock)) return await work(repository);
    return await underLock(repository, lock, invocation, () => work(repository));
  } finally {
    await store.close();
  }
}

/** The store of the repository that options or environment name, with retries and limits. USAGE if none is named, STORE_LACKS as `openStore`. */
export async function openNamedStore(
  invocation: Pick<Invocation, "globals" | "environment" | "screen">,
  { counts, newObjects: { immutability, storageClass } = {} }: StorageUse = {},
): Promise<ObjectStore> {
  const { globals, environment, screen } = invocation;
  const address = await repositoryAddress(globals, environment);
  return openSteadyStore(address, {
    environment,
    counts,
    retention: immutability && ruleOfObjects(immutability),
    storageClass,
    uploadBytesPerSecond: globals.uploadLimit,
    downloadBytesPerSecond: globals.downloadLimit,
    warn: (warning) => {
      if (!globals.json) screen.note(`warning: ${durabilityWarningText[warning]}`);
    },
    onRetry: ({ what, error, delayMs }) => {
      if (globals.quiet || globals.json) return;
      const seconds = (delayMs / 1000).toFixed(1);
      screen.note(`${what}: ${failureLine(error)} Trying again in ${seconds} s.`);
    },
  });
}

/** A copy elsewhere helped this time. */
function noteDamagedPack({ globals, screen }: Asking, pack: string, error: BackstayError): void {
  const text = damagedPackText(pack);
  if (globals.json)
    screen.note(
      JSON.stringify({
        message_type: "warning",
        error: { message: text, code: error.code },
        item: `data/${pack}`,
      }),
    );
  else screen.note(`warning: ${text}`);
}

async function repositoryAddress(
  globals: GlobalOptions,
  environment: Environment,
): Promise<string> {
  if (globals.repository !== undefined) return globals.repository;
  if (globals.repositoryFile !== undefined) return await addressIn(globals.repositoryFile);
  for (const program of ["BACKSTAY", "RESTIC"]) {
    const address = environment[`${program}_REPOSITORY`] ?? "";
    if (address !== "") return address;
    const file = environment[`${program}_REPOSITORY_FILE`] ?? "";
    if (file !== "") return await addressIn(file);
  }
  throw new BackstayError("USAGE", {
    problem: "no repository is named; give --repo or set BACKSTAY_REPOSITORY",
  });
}

async function addressIn(file: string): Promise<string> {
  try {
    return Buffer.from(secretBytes(await readFile(file), file)).toString("utf8");
  } catch (error) {
    if (error instanceof BackstayError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new BackstayError("USAGE", { file, problem: `it cannot be read: ${code}` }, error);
  }
}

/**
 * Does `work` under the lock, and gives the lock back. A reader begins at once, while the lock is being
 * confirmed, and goes on without one where none may be written: a restore from a read-only disk must work.
 */
async function underLock<T>(
  repository: Repository,
  mode: "shared" | "exclusive",
  { globals, screen, signal }: Asking,
  work: () => Promise<T>,
): Promise<T> {
  const options = { exclusive: mode === "exclusive", waitMs: globals.lockWaitMs, signal };
  let lock: RepositoryLock;
  try {
    lock = await repository.beginLock(options);
  } catch (error) {
    if (mode === "exclusive" || !isBackstayError(error, "STORE_DENIED")) throw error;
    if (!globals.json) screen.note("no lock can be written there; reading without one");
    return await work();
  }
  const done = new AbortController();
  try {
    const confirmed = lock.confirm(AbortSignal.any([signal, done.signal]));
    if (mode === "exclusive") await confirmed;
    const refused = new Promise<never>((_, reject) => {
      confirmed.catch((error: unknown) => {
        if (!done.signal.aborted) reject(error);
      });
    });
    return await Promise.race([work(), refused]);
  } finally {
    done.abort();
    await lock.release();
  }
}
