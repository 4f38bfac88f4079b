/** What the leader of a swarm and its processes say to each other. */
import type { DoneCommand } from "./swarm-agent.ts";
import type { SwarmFigures } from "./swarm-meter.ts";

export interface SwarmPlace {
  readonly urls: readonly string[];
  readonly pins: readonly string[];
}

/** One process has the machines `first` to `first + count - 1`. */
export interface SwarmShare {
  readonly seed: number;
  readonly first: number;
  readonly count: number;
  readonly place: SwarmPlace;
}

export interface SwarmMember {
  readonly number: number;
  readonly agentId: string;
}

export type SwarmOrder =
  | {
      readonly kind: "enrol";
      readonly share: SwarmShare;
      readonly token: { readonly i: string; readonly s: string };
      /** Requests under way at the same time. */
      readonly atOnce: number;
    }
  | {
      readonly kind: "run";
      readonly share: SwarmShare;
      readonly members: readonly SwarmMember[];
      readonly rootKey: string;
      readonly tenantId: string;
      readonly haste: number;
      readonly sessionEveryMs: number;
      readonly lostAnswers: number;
      /** The machines start at random within this time. */
      readonly startWithinMs: number;
    }
  | { readonly kind: "figures" }
  | { readonly kind: "stand"; readonly tag: string }
  | { readonly kind: "no-more-sessions" }
  | { readonly kind: "ledger" };

export type SwarmReply =
  | {
      readonly kind: "enrolled";
      readonly members: readonly SwarmMember[];
      readonly rootKey: string;
      readonly tenantId: string;
    }
  | { readonly kind: "running" }
  | { readonly kind: "figures"; readonly figures: SwarmFigures }
  | {
      readonly kind: "stand";
      /** When each machine accepted a bundle with that tag, ms since 1970; those that have none are left out. */
      readonly acceptedMs: readonly number[];
      /** Reports that wait. */
      readonly unsent: number;
    }
  | { readonly kind: "no-more-sessions" }
  | {
      readonly kind: "ledger";
      readonly reported: readonly string[];
      readonly done: readonly DoneCommand[];
      /** What the server said that a machine did not accept. */
      readonly refusals: readonly string[];
    }
  | { readonly kind: "failed"; readonly text: string };
