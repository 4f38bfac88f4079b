/** Brings an engine to its repository: by the first route that answers, with the password of the order. */
import { durabilityWarningText } from "../../platform/ports/durable-files.ts";
import { type BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { RouteOrder, RunOrder } from "../../protocol/run-order.ts";
import type { AccountSource } from "../../storage/account-source.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import { openSteadyStore } from "../../storage/open-steady-store.ts";
import { type OpenStoreOptions, openStore } from "../../storage/open-store.ts";
import type { RequestCounts } from "../../storage/request-counts.ts";
import { damagedPackText } from "../repository/blob/blob-loader.ts";
import { Repository } from "../repository/repository.ts";
import { ruleOfObjects } from "../repository/retention/lock-generation.ts";
import type { EngineOutput } from "./engine-output.ts";
import { tendKeys } from "./key-tending.ts";
import { obeyStand } from "./repository-stand.ts";

/** What an engine uses to reach a storage. */
export interface StorageUse {
  /** Where requests are counted. */
  readonly counts: RequestCounts;
  /** Of the route of that index, if its accounts are issued. */
  readonly accounts: (route: number) => AccountSource;
}

/** So long a route may take to answer while there is another one. */
const probeMs = 30_000;

/**
 * Opens the repository of an order, does `work`, and closes it whatever happens. Rejects as `Repository.open` and
 * `Repository.init` do, and with the reason of `signal`.
 */
export async function withRepository<T>(
  order: RunOrder,
  output: EngineOutput,
  storage: StorageUse,
  signal: AbortSignal,
  work: (repository: Repository) => Promise<T>,
): Promise<T> {
  const { routes, immutability, storageClass } = order.repository;
  const index = await chooseRoute(routes, storage, signal);
  const { limits } = order;
  const store = openSteadyStore(routes[index].url, {
    ...(await wayIn(routes, index, storage, signal)),
    retention: immutability && ruleOfObjects(immutability),
    storageClass,
    uploadBytesPerSecond: limits.uploadBytesPerSecond,
    downloadBytesPerSecond: limits.downloadBytesPerSecond,
    warn: (warning) =>
      output.issue({ path: "", code: warning, message: durabilityWarningText[warning] }),
    onRetry: () => undefined,
  });
  try {
    const isThere = (await store.stat({ type: "config", name: "" }, signal)) !== undefined;
    output.route(index);
    await obeyStand(order, store, output, signal);
    return await work(await openRepository(order, store, isThere, output, signal));
  } finally {
    await store.close();
  }
}

/** Of an issued route the first account also says where in the storage's world it is good: a region, the name of an account. */
async function wayIn(
  routes: readonly RouteOrder[],
  index: number,
  { counts, accounts }: StorageUse,
  signal: AbortSignal,
): Promise<OpenStoreOptions> {
  const { settings, issuedFor } = routes[index];
  if (issuedFor === undefined) return { environment: settings ?? {}, counts };
  const source = accounts(index);
  const first = await source.account(signal);
  return { environment: { ...settings, ...first.settings }, counts, accounts: source };
}

/**
 * The first route by which the storage answers; the first of all if none does, so that it is tried as patiently as a
 * single one. What is wrong for good, such as a refused account, is no reason to go another way.
 */
async function chooseRoute(
  routes: readonly RouteOrder[],
  storage: StorageUse,
  signal: AbortSignal,
): Promise<number> {
  if (routes.length > 1)
    for (const index of routes.keys())
      if (await answers(routes, index, storage, signal)) return index;
  return 0;
}

async function answers(
  routes: readonly RouteOrder[],
  index: number,
  storage: StorageUse,
  signal: AbortSignal,
): Promise<boolean> {
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(probeMs)]);
  let store: ObjectStore | undefined;
  try {
    store = openStore(routes[index].url, await wayIn(routes, index, storage, inTime));
    await store.stat({ type: "config", name: "" }, inTime);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    return !inTime.aborted && !(isBackstayError(error) && error.kind === "temporary");
  } finally {
    await store?.close();
  }
}

async function openRepository(
  order: RunOrder,
  store: ObjectStore,
  isThere: boolean,
  output: EngineOutput,
  signal: AbortSignal,
): Promise<Repository> {
  const { repository: place, cacheRoot } = order;
  const open = async (password: string): Promise<Repository> =>
    await Repository.open(store, optionsOf(password));
  const optionsOf = (password: string) => ({
    password: new TextEncoder().encode(password),
    cacheRoot,
    damagedPack: (pack: string, { code }: BackstayError) =>
      output.issue({ path: "", code, message: damagedPackText(pack) }),
    signal,
  });
  if (!isThere && place.create) {
    const made = await Repository.init(store, optionsOf(place.password));
    await tendKeys(order, made, false, output, signal);
    return made;
  }
  const { repository, isOld } = await openWithAny(
    [place.password, ...(place.previousPasswords ?? [])],
    open,
  );
  await tendKeys(order, repository, isOld, output, signal);
  return repository;
}

/** With the first password that opens it. Rejects with the failure of the first if none does. */
async function openWithAny(
  passwords: readonly string[],
  open: (password: string) => Promise<Repository>,
): Promise<{ repository: Repository; isOld: boolean }> {
  let failure: unknown;
  for (const [index, password] of passwords.entries())
    try {
      return { repository: await open(password), isOld: index > 0 };
    } catch (error) {
      if (!isBackstayError(error, "WRONG_PASSWORD")) throw error;
      failure ??= error;
    }
  throw failure;
}
