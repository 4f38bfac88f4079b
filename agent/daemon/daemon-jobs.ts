/** The daemon's jobs: sessions prepared from policies, and where their repositories are. */

import type { SecretKeeper } from "../../platform/ports/secret-keeper.ts";
import { proxyVariables } from "../../platform/proxy-choice.ts";
import { repositoryScheme } from "../../protocol/control/bundle.ts";
import type { GuardRails } from "../../protocol/policy/guard-rails.ts";
import type { RepositoryOrder, RouteAccount, RouteOrder } from "../../protocol/run-order.ts";
import type { Hold, SessionRecord } from "../../protocol/session-record.ts";
import type { BundleInForce } from "../control/bundle-in-force.ts";
import type { KeyMessage } from "../jobs/engine-run.ts";
import { JobRunner } from "../jobs/job-runner.ts";
import type { DaemonCore } from "./daemon-core.ts";
import { guardedFolders } from "./daemon-places.ts";
import type { MachineRules } from "./machine-rules.ts";
import type { PolicyInForce } from "./policy-book.ts";
import { RepositoryPlaces } from "./repository-places.ts";
import { RunPreparation } from "./run-preparation.ts";

const sessionsAtOnce = 2;

export interface DaemonJobsParts {
  readonly core: DaemonCore;
  readonly secrets: Pick<SecretKeeper, "read">;
  readonly rules: MachineRules;
  readonly inForce: () => ReadonlyMap<string, PolicyInForce>;
  readonly guardRails: () => GuardRails;
  readonly bundle: () => BundleInForce | undefined;
  readonly recovery: (repositoryId: string) => RepositoryOrder["recovery"];
  readonly onKeys: (session: SessionRecord, told: KeyMessage) => void;
  /** As `SessionSurroundings.account`. */
  readonly account: (route: RouteOrder, refused: RouteAccount | undefined) => Promise<RouteAccount>;
  readonly hold: (session: SessionRecord) => Hold | undefined;
}

export function daemonJobs(parts: DaemonJobsParts): { jobs: JobRunner; places: RepositoryPlaces } {
  const { options, places: folders, state, log } = parts.core;
  const places = new RepositoryPlaces({
    secrets: parts.secrets,
    proxies: proxyVariables(options.environment),
    onSecret: (secret) => log.redaction.hide(secret),
    guardRails: parts.guardRails,
    bundle: parts.bundle,
    recovery: parts.recovery,
  });
  const own = [folders.state, folders.run, ...(folders.cache === undefined ? [] : [folders.cache])];
  const preparation = new RunPreparation({
    inForce: parts.inForce,
    guardRails: parts.guardRails,
    accounts: options.accounts,
    places,
    hostName: options.hostName,
    environment: options.environment,
    cacheRoot: folders.cache,
    ownFolders: own,
    guardedFolders: guardedFolders(folders),
    hasBackup: ({ policy, repository }) => {
      const last = state.sessions.lastGood(policy);
      // Another member of a pool begins anew.
      return (
        last !== undefined &&
        (last.repository === repository || !repository.startsWith(repositoryScheme))
      );
    },
    newestSnapshot: (policy) => state.sessions.lastGood(policy)?.figures?.snapshotId,
    checkTarget: async (policy) => {
      await parts.rules.refresh();
      parts.rules.checkTarget(policy);
    },
  });
  const jobs = new JobRunner({
    state,
    clock: options.clock,
    limits: options.limits,
    watch: options.watch,
    spawnEngine: options.spawnEngine,
    environment: options.environment,
    reportFolder: folders.reports,
    prepare: async (session, signal) => await preparation.prepare(session, signal),
    scripts: (policy) => preparation.scripts(policy),
    keys: parts.onKeys,
    account: parts.account,
    hold: parts.hold,
    sessionsAtOnce,
    onFailure: (error) => log.failure("A session went wrong by a mistake of ours.", error),
  });
  return { jobs, places };
}
