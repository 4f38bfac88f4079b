/** What the schedule has to be told to plan a policy's runs. */
import type { EventKind } from "../policy/schedule-rules.ts";
import type { SessionRecord } from "../session-record.ts";
import type { Moment } from "./moment.ts";

export interface ScheduleFacts {
  readonly now: Moment;
  /** The machine's time zone, IANA name. */
  readonly zone: string;
  /** Chance, from 0 to below 1, drawn anew each time. */
  readonly chance: number;
  /** The policy's session that waits or runs, if there is one. */
  readonly session?: { readonly isManual: boolean; readonly hasStarted: boolean };
  /** The policy's session that ended last, of any cause. */
  readonly lastEnded?: EndedSession;
  /** What happened since the last look, oldest first. */
  readonly events: readonly HappenedEvent[];
  /** Policies of which a run ended since the last look, if that was not by a failure that is still going to be retried. */
  readonly finishedPolicies: readonly string[];
}

export interface HappenedEvent {
  readonly kind: EventKind;
  /** For people: `lock of ann`. */
  readonly text: string;
}

export type EndedSession = Pick<
  SessionRecord,
  "id" | "cause" | "attempt" | "startedMs" | "finishedMs" | "outcome" | "endedBy"
>;
