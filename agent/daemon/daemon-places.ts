/** The folders and files of one agent. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { type LocalApiAddress, localApiAddress } from "../../platform/local-api-address.ts";
import {
  cacheDirectory,
  configDirectory,
  runtimeDirectory,
  stateDirectory,
} from "../../platform/standard-paths.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";

/** What nothing is restored into; absolute. */
export function guardedFolders({ config, state, run, cache }: DaemonPlaces): string[] {
  return [config, state, run, ...(cache === undefined ? [] : [cache])];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** All absolute. */
export interface DaemonPlaces {
  readonly config: string;
  /** The configuration of the agent itself; it may not be there. */
  readonly configurationFile: string;
  /** A token for an enrolment by itself; used once, then removed. It may not be there. */
  readonly enrolmentTokenFile: string;
  /** Policies as people write them. */
  readonly policies: string;
  readonly state: string;
  /** What policies said when they were good last. */
  readonly lastGoodPolicies: string;
  readonly reports: string;
  readonly log: string;
  readonly run: string;
  /** Undefined if the user of the agent has no place for caches. */
  readonly cache: string | undefined;
  readonly socket: LocalApiAddress;
}

/** DAEMON_PLACE if the socket's path is too long for the system. */
export function daemonPlaces(environment: Environment): DaemonPlaces {
  const config = configDirectory(environment);
  const state = stateDirectory(environment);
  return {
    config,
    configurationFile: path.join(config, "agent.yaml"),
    enrolmentTokenFile: path.join(config, "enrolment-token"),
    policies: path.join(config, "policies"),
    state,
    lastGoodPolicies: path.join(state, "policies"),
    reports: path.join(state, "reports"),
    log: path.join(state, "log", "backstayd.log"),
    run: runtimeDirectory(environment),
    cache: cacheDirectory(environment),
    socket: localApiAddress(environment),
  };
}

/**
 * Makes the folders that are not there, closed to others. What can't be made is passed to `onTrouble`: an agent without
 * a disk still works from memory.
 */
export function makeFolders(
  { policies, state, reports }: DaemonPlaces,
  onTrouble: (error: BackstayError) => void,
): void {
  for (const folder of [state, reports, policies])
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      const problem = (error as NodeJS.ErrnoException).code ?? String(error);
      onTrouble(new BackstayError("DAEMON_PLACE", { path: folder, problem }, error));
    }
}
