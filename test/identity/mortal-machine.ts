/** Kills an agent at a chosen step: a write to its disk, a request on its way, or an answer on its way back. */
import type { EnrollingMachine } from "./enrolling-machine.ts";
import type { IdentityServer } from "./identity-server.ts";

export interface MortalLife {
  /** For the agent's work: aborted when it is killed. */
  readonly signal: AbortSignal;
  /** The machine has been started again: nothing is cut any more. */
  end(): void;
}

/** Lets the machine do so many steps outside itself; the next is not done any more, and none after it. */
export function mortalLife(
  machine: EnrollingMachine,
  server: IdentityServer,
  stepsMax: number,
): MortalLife {
  const death = new AbortController();
  let steps = 0;
  const isCut = (): boolean => {
    if (steps >= stepsMax) death.abort(new Error("killed"));
    steps += 1;
    return death.signal.aborted;
  };
  machine.keeper.onWrite = () => {
    if (isCut()) throw new Error("killed");
  };
  server.breaks = isCut;
  return {
    signal: death.signal,
    end: () => {
      machine.keeper.onWrite = () => undefined;
      server.breaks = () => false;
    },
  };
}
