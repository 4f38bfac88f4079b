/** What runs mean for the machine: it stays awake while one goes on, and what a policy wants is done with it afterwards. */
import type { SessionRecord } from "../../protocol/session-record.ts";
import { storeAddress } from "../../storage/store-address.ts";
import type { Jobs } from "../jobs/jobs.ts";
import { AfterRun } from "../triggers/after-run.ts";
import { AwakeWhileRunning } from "../triggers/awake-while-running.ts";
import type { DaemonCore } from "./daemon-core.ts";
import type { PolicyInForce } from "./policy-book.ts";

export interface MachineAfterRunsParts {
  readonly core: DaemonCore;
  readonly jobs: Pick<Jobs, "running" | "queued">;
  readonly inForce: () => ReadonlyMap<string, PolicyInForce>;
}

export class MachineAfterRuns {
  readonly #parts: MachineAfterRunsParts;
  readonly #afterRun: AfterRun;
  readonly #awake: AwakeWhileRunning;

  constructor(parts: MachineAfterRunsParts) {
    this.#parts = parts;
    const { options, log } = parts.core;
    const { power, media, clock } = options;
    this.#afterRun = new AfterRun({
      power,
      media,
      clock,
      isBusy: () => parts.jobs.running().length > 0 || parts.jobs.queued().length > 0,
      onPlanned: (planned) => {
        if (planned === undefined) return;
        const { policy, action, atMs } = planned;
        const at = new Date(atMs).toISOString();
        log.warning(`${action} of the machine at ${at}; \`backstay pause\` cancels it.`, {
          policy,
        });
      },
      onFailure: (policy, error) =>
        log.failure("What should be done after a run was not done.", error, { policy }),
    });
    this.#awake = new AwakeWhileRunning(power, (error) =>
      log.failure("The machine can't be kept awake.", error),
    );
  }

  /** To be told after each change of a session. */
  sessionChanged(session: SessionRecord): void {
    this.#awake.set(this.#parts.jobs.running().length > 0);
    const found = this.#parts.inForce().get(session.policy);
    if (session.state !== "finished" || session.kind !== "backup" || found === undefined) return;
    const { scheme, place } = storeAddress(found.policy.destination.repository);
    const drive = scheme === "local" ? place : undefined;
    this.#afterRun.sessionFinished(session, found.policy.schedule, drive);
  }

  /** Nothing is done to the machine for the runs so far. */
  cancel(): void {
    this.#afterRun.cancel();
  }

  /** Does nothing more to the machine; it stays awake for what still runs. */
  async stopActions(): Promise<void> {
    await this.#afterRun.stop();
  }

  /** Lets the machine sleep. */
  async stop(): Promise<void> {
    await this.#awake.stop();
  }
}
