/** What a daemon is made of that tests may replace; the rest it makes itself. */
import type { Clock } from "../../platform/ports/clock.ts";
import type { Network } from "../../platform/ports/network.ts";
import type { Power } from "../../platform/ports/power.ts";
import type { ProcessLimits } from "../../platform/ports/process-limits.ts";
import type { RemovableMedia } from "../../platform/ports/removable-media.ts";
import type { SecretKeeper } from "../../platform/ports/secret-keeper.ts";
import type { ServiceControl } from "../../platform/ports/service-control.ts";
import type { SystemEvents } from "../../platform/ports/system-events.ts";
import type { UserAccounts } from "../../platform/ports/user-accounts.ts";
import type { EngineWatch } from "../jobs/engine-run.ts";
import type { EngineSpawner } from "../jobs/engine-spawner.ts";

export interface DaemonOptions {
  /** Of the service; says where everything is. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly service: ServiceControl;
  readonly clock: Clock;
  readonly limits: ProcessLimits;
  readonly events: SystemEvents;
  readonly power: Power;
  readonly network: Network;
  readonly media: RemovableMedia;
  readonly accounts: UserAccounts;
  readonly secrets: SecretKeeper;
  readonly spawnEngine: EngineSpawner;
  readonly watch: EngineWatch;
  readonly hostName: string;
  /** Of the machine, IANA name, as it is at that moment. */
  readonly zone: () => string;
  /** The user that this process runs as. */
  readonly ownUid: number;
  /** Standard output is the system's journal. */
  readonly isJournal: boolean;
  /** Lines of the log, for a journal or a terminal; absent: nowhere but to the file. */
  readonly print?: (text: string) => void;
}

/** As daemons of real machines watch their engines. A run that waits for a lock makes no progress for a quarter of an hour. */
export const usualWatch: EngineWatch = {
  tickMs: 10_000,
  silenceMs: 3 * 60_000,
  stallMs: 60 * 60_000,
  graceMs: 90_000,
};
