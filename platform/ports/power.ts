/** Power: what the machine runs on, keeping it awake, waking it, and putting it to sleep. */
import type { Probe } from "./system-events.ts";

export interface PowerState {
  /** Undefined if the machine can't tell; machines without a battery say false. */
  readonly onBattery: boolean | undefined;
  /** Charge of all batteries together, 0 to 100; undefined without any. */
  readonly batteryPercent: number | undefined;
}

export type PowerAction = "sleep" | "hibernate" | "shut-down";

export interface Power {
  state(): Promise<PowerState>;
  /** Keeps the machine from sleeping and, as long as the system allows, from shutting down. Released by the result; safe to call twice. */
  keepAwake(reason: string): Promise<() => Promise<void>>;
  can(action: PowerAction): Promise<Probe>;
  /** POWER_ACTION_FAILED if the system refuses. */
  perform(action: PowerAction): Promise<void>;
  /** Wakes the machine at that wall-clock time; one time only, undefined takes it back. Resolves with what the system can do. */
  setWake(atMs: number | undefined): Promise<Probe>;
}
