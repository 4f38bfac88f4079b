/**
 * Events of a Mac: asked for now and then, and at once when the dynamic store tells of a change. There is no word before
 * sleep, and launchd ends the agent with a signal before a shutdown.
 */
import { addressesText } from "../node/interface-addresses.ts";
import { PolledEvents, type PolledMachine, type PollingPace } from "../node/polled-events.ts";
import { lookOfFile } from "../node/time-zone-watch.ts";
import type { Probe, SystemEvent, SystemEvents } from "../ports/system-events.ts";
import { type DarwinCommands, darwinCommands } from "./command-output.ts";
import { decodeConsoleUsers } from "./console-users.ts";
import { darwinProcessCalls } from "./libsystem.ts";
import { MountedVolumes } from "./mounted-volumes.ts";
import { decodeBatteries } from "./power-text.ts";
import { DarwinRemovableMedia } from "./removable-media.ts";
import { type StoreChange, watchStore } from "./store-watch.ts";

const tickMsDefault = 2_000;
/** The programs that are started for sessions and power cost some hundredths of a second each. */
const rounds: PollingPace["rounds"] = { sessions: 3, drives: 1, network: 5, power: 30 };

export interface DarwinSystemEventsOptions {
  /** Another machine than this one, for tests. */
  readonly machine?: PolledMachine;
  readonly watch?: typeof watchStore;
  /** Between two rounds of questions, for tests. */
  readonly tickMs?: number;
}

/** This machine, or another one behind `commands`. */
export function darwinMachine(commands: DarwinCommands = darwinCommands): PolledMachine {
  const media = new DarwinRemovableMedia(commands);
  const volumes = new MountedVolumes(async () => await media.mounted());
  return {
    async sessions() {
      const { stdout, problem } = await commands("ioreg", ["-n", "Root", "-d1", "-a"]);
      const users = decodeConsoleUsers(stdout);
      if (users === undefined) throw new Error(problem || "ioreg tells of no users");
      return users;
    },
    drives: async () => await volumes.list(),
    power: async () =>
      JSON.stringify(decodeBatteries((await commands("pmset", ["-g", "batt"])).stdout)),
    addresses: addressesText,
    timeZone: lookOfFile("/etc/localtime"),
    clocks: () => ({
      wallMs: Date.now(),
      awakeMs: darwinProcessCalls.awakeMs(),
      bootMs: darwinProcessCalls.uptimeMs(),
    }),
  };
}

export class DarwinSystemEvents implements SystemEvents {
  readonly #options: DarwinSystemEventsOptions;
  #events: PolledEvents | undefined;
  #unwatch: (() => void) | undefined;

  constructor(options: DarwinSystemEventsOptions = {}) {
    this.#options = options;
  }

  async start(emit: (event: SystemEvent) => void): Promise<ReadonlyMap<string, Probe>> {
    await this.stop();
    const { machine = darwinMachine(), watch = watchStore, tickMs = tickMsDefault } = this.#options;
    const events = new PolledEvents(machine, { tickMs, rounds }, emit);
    this.#events = events;
    await events.start();
    this.#unwatch = watch((change) => hear(change, events));
    const problem = events.sessionProblem;
    const atOnce = this.#unwatch === undefined ? "" : ", and the dynamic store";
    return new Map([
      ["sessions", { available: problem === "", reason: problem || `ioreg, every few seconds` }],
      ["sleep", { available: true, reason: "the clocks, after the fact" }],
      [
        "shutdown",
        { available: false, reason: "launchd ends the agent with a signal, as for any other end" },
      ],
      ["mounts", { available: true, reason: "the folder of volumes, every few seconds" }],
      ["network", { available: true, reason: `addresses${atOnce}` }],
      ["power", { available: true, reason: `pmset${atOnce}` }],
      ["time", { available: true, reason: "the clocks and /etc/localtime" }],
    ]);
  }

  isLocked(): Promise<boolean | undefined> {
    return Promise.resolve(this.#events?.isLocked);
  }

  async stop(): Promise<void> {
    this.#unwatch?.();
    this.#unwatch = undefined;
    const events = this.#events;
    this.#events = undefined;
    await events?.stop();
  }
}

function hear(change: StoreChange, events: PolledEvents): void {
  if (change === "users") void events.lookAtSessions();
  else if (change === "power") void events.comparePower();
  else events.networkChanged();
}
