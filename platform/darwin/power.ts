/** Power of a Mac. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Power, PowerAction, PowerState } from "../ports/power.ts";
import type { Probe } from "../ports/system-events.ts";
import { type DarwinCommands, type DarwinProgram, darwinCommands } from "./command-output.ts";
import { keepAwake } from "./keep-awake.ts";
import { decodeBatteries, decodeOwnWakes, wakeText } from "./power-text.ts";

const owner = "com.backstay.agent";

export interface DarwinPowerOptions {
  /** Others than the system's, for tests. */
  readonly commands?: DarwinCommands;
  readonly isRoot?: boolean;
  readonly keepAwake?: () => Promise<() => Promise<void>>;
}

export class DarwinPower implements Power {
  readonly #commands: DarwinCommands;
  readonly #isRoot: boolean;
  readonly #keepAwake: () => Promise<() => Promise<void>>;

  constructor(options: DarwinPowerOptions = {}) {
    this.#commands = options.commands ?? darwinCommands;
    this.#isRoot = options.isRoot ?? process.geteuid?.() === 0;
    this.#keepAwake = options.keepAwake ?? keepAwake;
  }

  async state(): Promise<PowerState> {
    return decodeBatteries((await this.#commands("pmset", ["-g", "batt"])).stdout);
  }

  async keepAwake(): Promise<() => Promise<void>> {
    return await this.#keepAwake();
  }

  can(action: PowerAction): Promise<Probe> {
    return Promise.resolve(this.#probe(action));
  }

  async perform(action: PowerAction): Promise<void> {
    const { available, reason } = this.#probe(action);
    if (!available) throw new BackstayError("POWER_ACTION_FAILED", { action, reason });
    const [program, args]: [DarwinProgram, readonly string[]] =
      action === "sleep" ? ["pmset", ["sleepnow"]] : ["shutdown", ["-h", "now"]];
    const { exitCode, problem } = await this.#commands(program, args);
    if (exitCode !== 0) throw new BackstayError("POWER_ACTION_FAILED", { action, reason: problem });
  }

  async setWake(atMs: number | undefined): Promise<Probe> {
    if (!this.#isRoot) return needsRoot;
    const planned = await this.#commands("pmset", ["-g", "sched"]);
    if (planned.exitCode !== 0) return { available: false, reason: planned.problem };
    // Also what an agent left behind that was killed: the system keeps these events.
    for (const time of decodeOwnWakes(planned.stdout, owner))
      await this.#commands("pmset", ["schedule", "cancel", "wake", time, owner]);
    if (atMs !== undefined) {
      const args = ["schedule", "wake", wakeText(atMs), owner];
      const { exitCode, problem } = await this.#commands("pmset", args);
      if (exitCode !== 0) return { available: false, reason: problem };
    }
    return { available: true, reason: "the system's planned events" };
  }

  #probe(action: PowerAction): Probe {
    if (action === "hibernate")
      return { available: false, reason: "macOS itself decides when a sleeping Mac hibernates" };
    return this.#isRoot ? { available: true, reason: "macOS" } : needsRoot;
  }
}

const needsRoot: Probe = { available: false, reason: "only root may do that" };
