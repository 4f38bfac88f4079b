/** Checks a repository: its structure always, the bytes of packs where that is wished, and what any damage costs. */
import { availableParallelism } from "node:os";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { masterKeyToBytes } from "../repository/crypto/master-key.ts";
import type { RepositoryLock } from "../repository/lock/repository-lock.ts";
import type { Repository } from "../repository/repository.ts";
import type { CheckContext } from "./check-context.ts";
import { BadCopies, findHurtBlobs } from "./damage/bad-copies.ts";
import { traceSnapshots } from "./damage/harm-tracing.ts";
import { namePaths } from "./damage/path-walk.ts";
import { findRoots, type RootedSnapshot, TreeDamage } from "./damage/tree-damage.ts";
import { listIndexFiles, readIndex } from "./listing/index-files.ts";
import { checkKeys } from "./listing/key-files.ts";
import type { PackLedger } from "./listing/pack-ledger.ts";
import { readSnapshots } from "./listing/snapshot-files.ts";
import { compareStoredPacks, type StoredPacks } from "./listing/stored-packs.ts";
import { CheckPool } from "./read/check-pool.ts";
import { PackReading, type PlannedPack } from "./read/pack-reading.ts";
import { assertReadData, type ReadData, selectPacks } from "./read/read-selection.ts";
import type { CheckEvents, CheckResult } from "./report/check-report.ts";
import { HintCounter, type OpenProblem, ProblemList } from "./report/problem-list.ts";
import type { BlobBits } from "./trees/blob-bits.ts";
import { TreeGraph } from "./trees/tree-graph.ts";
import { Turns } from "./turns.ts";

/** Threads beyond this wait for the store. */
const threadsMax = 16;
/** Bytes to verify that are worth a thread. */
const threadBytesMin = 16 * 1024 * 1024;
/** Bytes in trees, which are always read, for each byte of the index: a guess, to start threads while the index is read. */
const indexedRatio = 16;

export interface CheckOptions {
  readonly readData: ReadData;
  /** How long to wait for others that use the repository, ms. */
  readonly lockWaitMs: number;
  /** Look without a lock; what others write or remove meanwhile may then seem damaged. */
  readonly noLock?: boolean;
  /** Threads that verify; 0 is none but this one. As many as the work and the processor have use for unless given. */
  readonly threads?: number;
  /** Uniform in [0, 1); chooses packs. */
  readonly random?: () => number;
}

/**
 * Checks the repository. Everything is read from the store, nothing from the cache, and nothing is changed there but the
 * lock. Damage is no failure: it is told through `events` and in the result. Rejects with REPOSITORY_LOCKED, with
 * USAGE for an impossible selection, as the store does when it is out of reach, or with the signal's reason.
 */
export async function runCheck(
  repository: Repository,
  options: CheckOptions,
  events: CheckEvents,
  signal: AbortSignal,
): Promise<CheckResult> {
  assertReadData(options.readData);
  const lock =
    options.noLock === true
      ? undefined
      : await repository.lock({ exclusive: true, waitMs: options.lockWaitMs, signal });
  try {
    const problems = new ProblemList(events);
    const context: CheckContext = {
      store: repository.store,
      sealer: repository.sealer,
      masterKey: repository.masterKey,
      isLocked: lock !== undefined,
      problems,
      turns: new Turns(signal),
      progress: (progress) => events.progress?.({ ...progress, problems: problems.count }),
      signal,
    };
    const statistics = await new Check(context, options).run();
    signal.throwIfAborted();
    if (lock !== undefined && problems.count > 0) await noteLostLock(lock, problems, signal);
    problems.report();
    return {
      problems: problems.listed,
      problemCount: problems.count,
      hints: problems.hints,
      statistics,
    };
  } finally {
    await lock?.release();
  }
}

class Check {
  readonly #context: CheckContext;
  readonly #options: CheckOptions;
  readonly #bad = new BadCopies();
  readonly #packProblems = new Map<number, OpenProblem | undefined>();

  constructor(context: CheckContext, options: CheckOptions) {
    this.#context = context;
    this.#options = options;
  }

  async run(): Promise<CheckResult["statistics"]> {
    const { signal } = this.#context;
    const pool = new CheckPool();
    const abort = (): void => void pool.close(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await this.#runWith(pool);
    } finally {
      signal.removeEventListener("abort", abort);
      await pool.close();
    }
  }

  async #runWith(pool: CheckPool): Promise<CheckResult["statistics"]> {
    const context = this.#context;
    const keys = await checkKeys(context);
    // Before the index: a snapshot that is finished meanwhile would seem to lack its blobs.
    const snapshots = await readSnapshots(context);
    const indexFiles = await listIndexFiles(context);
    const indexBytes = indexFiles.reduce((sum, { size }) => sum + size, 0);
    pool.growTo(this.#threadsFor(indexBytes * indexedRatio));
    const ledger = await readIndex(context, indexFiles);
    const { table } = ledger;
    pool.start(masterKeyToBytes(context.masterKey), table);
    const stored = await compareStoredPacks(context, ledger);
    for (const [pack, problem] of stored.missing) {
      this.#bad.addPack(pack);
      this.#packProblems.set(pack, problem);
    }
    const graph = new TreeGraph(table.count, context.turns);
    const reading = this.#readingWith(pool, ledger, graph);
    const plan = this.#plan(ledger, stored);
    const bytes = plan.reduce((sum, { pack }) => sum + ledger.storedBytesOf(pack), 0);
    pool.growTo(this.#threadsFor(bytes));
    await reading.verify(plan);
    const roots = findRoots(context, ledger, snapshots);
    const reached = await graph.reach(roots.map(({ root }) => root));
    const hurt = await findHurtBlobs(context, ledger, this.#bad);
    const damage = new TreeDamage(ledger, hurt, this.#packProblems);
    await damage.reportFaults(context, graph, reached);
    if (!hurt.isEmpty) await this.#findHurtFiles(pool, ledger, graph, damage);
    await this.#traceHarm(ledger, graph, damage, roots);
    return {
      keys,
      snapshots: snapshots.length,
      indexFiles: ledger.indexFiles.length,
      packs: ledger.count,
      blobs: table.count,
      duplicateBlobs: ledger.duplicateBlobs,
      trees: reached.count,
      packsRead: reading.packsRead,
      bytesRead: reading.bytesRead,
    };
  }

  /** So many threads that none is started for less work than starting it takes. */
  #threadsFor(bytes: number): number {
    const { threads } = this.#options;
    const wanted = Math.min(threadsMax, availableParallelism(), Math.floor(bytes / threadBytesMin));
    return threads ?? wanted;
  }

  #readingWith(pool: CheckPool, ledger: PackLedger, graph: TreeGraph): PackReading {
    return new PackReading({
      context: this.#context,
      ledger,
      pool,
      bad: this.#bad,
      packProblems: this.#packProblems,
      onTree: (record) => graph.add(record),
    });
  }

  /** Packs with trees come first, so that faults of the structure are known early. */
  #plan(ledger: PackLedger, { suspicious }: StoredPacks): PlannedPack[] {
    const { readData, random = Math.random } = this.#options;
    const packs = Array.from({ length: ledger.count }, (_, pack) => pack).filter(
      (pack) => ledger.storedBytesOf(pack) >= 0,
    );
    const selected = selectPacks(
      packs.map((pack) => ({
        firstByte: Number.parseInt(ledger.idOf(pack).slice(0, 2), 16),
        sizeBytes: ledger.storedBytesOf(pack),
      })),
      readData,
      random,
    );
    const [withTrees, others]: [PlannedPack[], PlannedPack[]] = [[], []];
    for (const [place, pack] of packs.entries()) {
      const isSuspicious = suspicious.has(pack);
      const hasTrees = ledger.hasTrees(pack);
      const isWhole = selected[place] || isSuspicious || (hasTrees && !ledger.hasData(pack));
      if (isWhole || hasTrees)
        (hasTrees ? withTrees : others).push({ pack, onlyTrees: !isWhole, isSuspicious });
    }
    return [...withTrees, ...others];
  }

  /** Reads all trees once more, to find those whose files have hurt blobs. */
  async #findHurtFiles(
    pool: CheckPool,
    ledger: PackLedger,
    graph: TreeGraph,
    damage: TreeDamage,
  ): Promise<void> {
    pool.lookForHurt(damage.hurt);
    const reading = new PackReading({
      context: this.#context,
      ledger,
      pool,
      bad: this.#bad,
      packProblems: this.#packProblems,
      onTree: (record) => {
        graph.add(record);
        damage.noteContent(record.entry, record.hurtPacks);
      },
    });
    const packs: number[] = [];
    for (let pack = 0; pack < ledger.count; pack += 1)
      if (ledger.hasTrees(pack) && ledger.storedBytesOf(pack) >= 0) packs.push(pack);
    await reading.readTrees(packs);
  }

  async #traceHarm(
    ledger: PackLedger,
    graph: TreeGraph,
    damage: TreeDamage,
    roots: readonly RootedSnapshot[],
  ): Promise<void> {
    const context = this.#context;
    if (context.problems.count === 0) return;
    const entries = roots.map(({ root }) => root);
    const leading: BlobBits = await graph.leadingTo(entries, (entry) => damage.isHurt(entry));
    if (leading.isEmpty) return;
    await traceSnapshots(context, graph, damage, leading, roots);
    const isComplete = await namePaths({ context, ledger, damage, leading }, roots);
    if (isComplete && !damage.isCut && graph.isComplete) return;
    for (const problem of context.problems.listed)
      if (problem.harm.snapshotCount > 0) problem.harm.isComplete = false;
  }
}

/** A lock that was lost, as by a machine that slept, means that others may have pruned: then damage may be none. */
async function noteLostLock(
  lock: RepositoryLock,
  problems: ProblemList,
  signal: AbortSignal,
): Promise<void> {
  try {
    await lock.assertHeld(signal);
  } catch (error) {
    if (!isBackstayError(error, "LOCK_LOST")) throw error;
    const lost = new HintCounter();
    lost.add(String(error.context["lock"]));
    problems.addHint("lock-lost", lost);
  }
}
