/** Makes of a session, at the moment of its run, what an engine needs: paths that exist now, secrets, limits. */
import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import type { UserAccounts } from "../../platform/ports/user-accounts.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { GuardRails } from "../../protocol/policy/guard-rails.ts";
import type { Policy } from "../../protocol/policy/policy.ts";
import type { BackupWork, RestoreWork, RunWork } from "../../protocol/run-order.ts";
import type { SessionRecord, SessionTask } from "../../protocol/session-record.ts";
import type { JobScript, JobScripts, PreparedRun } from "../jobs/jobs.ts";
import { localRepositories, resolveScope } from "../policy/policy-scope.ts";
import type { PolicyInForce } from "./policy-book.ts";
import { heldAt, type RepositoryPlaces } from "./repository-places.ts";
import { allowedTarget } from "./restore-rails.ts";

export interface RunPreparationParts {
  readonly inForce: () => ReadonlyMap<string, PolicyInForce>;
  readonly guardRails: () => GuardRails;
  readonly accounts: UserAccounts;
  readonly places: Pick<RepositoryPlaces, "of">;
  readonly hostName: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cacheRoot: string | undefined;
  /** Folders of the agent itself that are not backed up; absolute. */
  readonly ownFolders: readonly string[];
  /** Folders that nothing is restored into; absolute. */
  readonly guardedFolders: readonly string[];
  /** True if there is a good backup of its policy: then its repository exists, and must never be made anew. */
  readonly hasBackup: (session: SessionRecord) => boolean;
  /** Id of the newest snapshot that this machine knows of a policy. */
  readonly newestSnapshot: (policy: string) => string | undefined;
  /** STORE_MISSING if the drive of the target is not there. */
  readonly checkTarget: (policy: Policy) => Promise<void>;
}

/** So long a run waits for other sessions' locks of its repository. */
const lockWaitMs = 15 * 60_000;

export class RunPreparation {
  readonly #parts: RunPreparationParts;

  constructor(parts: RunPreparationParts) {
    this.#parts = parts;
  }

  /**
   * Rejects with POLICY_UNKNOWN, POLICY_SCOPE, POLICY_RESTRICTED, SOURCE_MISSING, SECRET_MISSING, SECRET_UNREADABLE,
   * SECRET_INVALID, RESTORE_RESTRICTED.
   */
  async prepare(session: SessionRecord, signal: AbortSignal): Promise<PreparedRun> {
    const { inForce, cacheRoot, hasBackup, checkTarget, places } = this.#parts;
    const name = session.policy;
    const found = inForce().get(name);
    if (found === undefined) throw new BackstayError("POLICY_UNKNOWN", { policy: name });
    const { policy, server } = found;
    const { from } = session.task ?? {};
    const held = heldAt(found, from);
    const epoch = server?.bundle.destinations.get(held?.repositoryId ?? "")?.epoch;
    await checkTarget(policy);
    const work = await this.#work(session, policy);
    signal.throwIfAborted();
    const place = await places.of(found, from);
    signal.throwIfAborted();
    const { uploadPerSecond, downloadPerSecond, memory, duration } = policy.limits;
    const { immutability, storageClass } = policy.destination;
    const isBackup = session.kind === "backup";
    return {
      order: {
        repository: {
          ...place,
          ...(isBackup && immutability !== undefined && { immutability }),
          ...(isBackup && storageClass !== undefined && { storageClass }),
          create: isBackup && policy.destination.create && !hasBackup(session),
        },
        ...(cacheRoot !== undefined && { cacheRoot }),
        limits: {
          ...(uploadPerSecond !== undefined && { uploadBytesPerSecond: uploadPerSecond }),
          ...(downloadPerSecond !== undefined && { downloadBytesPerSecond: downloadPerSecond }),
        },
        lockWaitMs,
        work,
      },
      ...(memory !== undefined && { memoryLimitBytes: memory }),
      durationLimitMs: duration,
      ...(epoch !== undefined && { destinationEpoch: epoch }),
    };
  }

  /** What runs around the engine of a policy; nothing if there is no such policy any more. */
  scripts(policy: string): JobScripts {
    const { preJob, postJob } = this.#parts.inForce().get(policy)?.policy.scripts ?? {};
    return {
      ...(preJob !== undefined && { preJob: jobScript(preJob) }),
      ...(postJob !== undefined && { postJob: jobScript(postJob) }),
    };
  }

  async #work({ task }: SessionRecord, policy: Policy): Promise<RunWork> {
    if (task?.kind === "check") return task;
    return task === undefined ? await this.#backup(policy) : this.#restore(task, policy);
  }

  #restore(task: Extract<SessionTask, { kind: "restore" }>, policy: Policy): RestoreWork {
    const { guardRails, guardedFolders, hostName, newestSnapshot } = this.#parts;
    const { snapshot, paths, overwrite, verify, from } = task;
    return {
      kind: "restore",
      hostName,
      // Other policies may back up into the same repository.
      snapshot:
        snapshot === "latest" && from === undefined
          ? (newestSnapshot(policy.name) ?? snapshot)
          : snapshot,
      paths,
      ...allowedTarget(task, guardRails(), guardedFolders),
      overwrite,
      verify,
    };
  }

  async #backup(policy: Policy): Promise<BackupWork> {
    const { accounts, hostName, environment, guardRails, inForce, ownFolders } = this.#parts;
    const all = [...inForce().values()].map((each) => each.policy);
    const { work, missing } = resolveScope(policy, {
      hostName,
      users: await accounts.list(),
      environment: (name) => environment[name],
      exists: (path) => isAbsolute(path) && existsSync(path),
      ownPlaces: [...ownFolders, ...localRepositories(all)],
      guardRails: guardRails(),
    });
    const paths = missing.map(({ path }) => path);
    if (work.paths.length === 0 || (paths.length > 0 && policy.source.missingPath === "error"))
      throw new BackstayError("SOURCE_MISSING", {
        policy: policy.name,
        missing: paths.slice(0, 5).join(", "),
      });
    // The engine is given them all the same: it says what is not there, and the session ends with a warning.
    const absent = paths.filter((path) => isAbsolute(path));
    return {
      ...work,
      paths: [...work.paths, ...absent.map((path) => Buffer.from(path).toString("base64"))],
    };
  }
}

function jobScript(script: {
  readonly command: readonly string[];
  readonly timeout: number;
  readonly required: boolean;
}): JobScript {
  const { command, timeout, required } = script;
  return { command, timeoutMs: timeout, required };
}
