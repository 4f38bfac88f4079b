/**
 * What a policy wants done with the machine once its backup is made: sleep, hibernate or shut down after a time in
 * which somebody can cancel it, and the drive of the target ejected. Both wait until no session waits or runs.
 */
import type { Clock } from "../../platform/ports/clock.ts";
import type { Power, PowerAction } from "../../platform/ports/power.ts";
import type { RemovableMedia } from "../../platform/ports/removable-media.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { ScheduleRules } from "../../protocol/policy/schedule-rules.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";

export interface AfterRunParts {
  readonly power: Pick<Power, "can" | "perform">;
  readonly media: Pick<RemovableMedia, "eject">;
  readonly clock: Clock;
  /** Whether a session waits or runs. */
  readonly isBusy: () => boolean;
  /** Told when a time for cancelling begins, and with undefined when it is over, however. */
  readonly onPlanned: (planned: PlannedAction | undefined) => void;
  /** POWER_ACTION_FAILED, EJECT_FAILED and what nobody expected. */
  readonly onFailure: (policy: string, error: unknown) => void;
}

/** Something that is going to be done to the machine. */
export interface PlannedAction {
  readonly policy: string;
  readonly action: PowerAction;
  /** Ms since 1970. */
  readonly atMs: number;
}

interface WantedAction {
  readonly policy: string;
  readonly action: PowerAction;
  readonly delayMs: number;
}

/** What people did not ask for themselves: only then may the machine be taken from them. */
const scheduledKinds: readonly SessionRecord["cause"]["kind"][] = [
  "schedule",
  "missed",
  "retry",
  "after-policy",
];

export class AfterRun {
  readonly #parts: AfterRunParts;
  #wanted: WantedAction | undefined;
  /** The places to eject, each with its policy. */
  readonly #ejections = new Map<string, string>();
  #planned: PlannedAction | undefined;
  #countdown: AbortController | undefined;
  #isStopped = false;
  #work: Promise<void> = Promise.resolve();

  constructor(parts: AfterRunParts) {
    this.#parts = parts;
  }

  /** What is going to happen, while it can still be canceled. */
  get planned(): PlannedAction | undefined {
    return this.#planned;
  }

  /**
   * To be told of each session that has finished, with the rules of its policy; `place` is the folder of its target,
   * undefined if that is not on a drive of this machine.
   */
  sessionFinished(session: SessionRecord, { afterwards }: ScheduleRules, place?: string): void {
    const { policy, outcome, cause } = session;
    if (outcome === "success" || outcome === "warning") {
      const { action, delay, eject } = afterwards;
      if (action !== "keep-running" && scheduledKinds.includes(cause.kind))
        this.#wanted = { policy, action, delayMs: delay };
      if (eject && cause.kind === "event" && place !== undefined)
        this.#ejections.set(place, policy);
    }
    this.#later();
  }

  /** Nothing is done to the machine for the sessions so far. False if nothing was going to be. */
  cancel(): boolean {
    const isWanted = this.#wanted !== undefined;
    this.#wanted = undefined;
    this.#countdown?.abort();
    return isWanted;
  }

  /** Does nothing more; resolves when what was under way has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.cancel();
    await this.#work;
  }

  #later(): void {
    this.#work = this.#work.then(async () => {
      if (this.#isIdle()) await this.#eject();
      if (this.#isIdle()) await this.#act();
    });
  }

  #isIdle(): boolean {
    return !this.#isStopped && !this.#parts.isBusy();
  }

  async #eject(): Promise<void> {
    const ejections = [...this.#ejections];
    this.#ejections.clear();
    for (const [place, policy] of ejections)
      try {
        await this.#parts.media.eject(place);
      } catch (error) {
        this.#parts.onFailure(policy, error);
      }
  }

  /** What a session that begins meanwhile puts off is asked for again when that has finished. */
  async #act(): Promise<void> {
    const wanted = this.#wanted;
    if (wanted === undefined) return;
    const { policy, action } = wanted;
    const { power, onFailure } = this.#parts;
    try {
      const { available, reason } = await power.can(action);
      if (!available) throw new BackstayError("POWER_ACTION_FAILED", { action, reason });
      await this.#countDown(wanted);
      if (this.#wanted !== wanted || !this.#isIdle()) return;
      this.#wanted = undefined;
      await power.perform(action);
    } catch (error) {
      if (this.#wanted === wanted) this.#wanted = undefined;
      onFailure(policy, error);
    }
  }

  /** Resolves after the delay, or as soon as it is canceled. */
  async #countDown({ policy, action, delayMs }: WantedAction): Promise<void> {
    if (this.#wanted === undefined) return;
    const { clock, onPlanned } = this.#parts;
    this.#countdown = new AbortController();
    this.#planned = { policy, action, atMs: clock.now() + delayMs };
    onPlanned(this.#planned);
    try {
      await clock.sleep(delayMs, this.#countdown.signal);
    } catch (error) {
      if (!this.#countdown.signal.aborted) throw error;
    } finally {
      this.#countdown = undefined;
      this.#planned = undefined;
      onPlanned(undefined);
    }
  }
}
