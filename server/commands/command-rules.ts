/** What becomes of a command when there is news of it, and how long it may stay as it is. Pure. */
import {
  type CommandKind,
  type CommandProgress,
  type CommandState,
  isFinalCommandState,
} from "../../protocol/control/command.ts";

/** The newest word on a command: of its machine, or of the server itself when it gave it up or canceled it. */
export interface CommandWord extends CommandProgress {
  readonly by: "agent" | "server";
}

export interface CommandStand {
  readonly state: CommandState;
  /** Null while it is queued and nothing was said. */
  readonly word: CommandWord | null;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** So long after its making a command may be begun, if nobody says otherwise. */
export const commandLifetimesMs: Readonly<Record<CommandKind, number>> = {
  run: dayMs,
  stop: hourMs,
  restore: dayMs,
  check: dayMs,
  sync: dayMs,
  "collect-logs": 7 * dayMs,
  "clear-cache": 7 * dayMs,
  leave: 90 * dayMs,
};

/** What the machine took it may begin until the command expires, and has a day to say so. */
export const acceptedSilenceMs = dayMs;
/** A machine tells of what it works on every half hour; it may sleep over a holiday. */
export const runningSilenceMs = 7 * dayMs;

const ranks: Readonly<Partial<Record<CommandState, number>>> = {
  queued: 0,
  accepted: 1,
  running: 2,
};
const finalRank = 3;

/**
 * The stand after the machine has told `progress`; undefined if that changes nothing, because it is late or repeated.
 * What a machine says is final. What the server said by itself is not: the machine knows better what happened.
 */
export function afterProgress(
  { state, word }: CommandStand,
  progress: CommandProgress,
): CommandStand | undefined {
  const next: CommandStand = { state: progress.state, word: { ...progress, by: "agent" } };
  if (isFinalCommandState(state)) return word?.by === "server" ? next : undefined;
  const change = rankOf(progress.state) - rankOf(state);
  if (change < 0) return undefined;
  if (change === 0 && word !== null && progress.timeMs < word.timeMs) return undefined;
  return next;
}

/** The stand after the server has decided by itself; what the machine told before stays in it. */
export function afterVerdict(
  { word }: CommandStand,
  state: "expired" | "failed" | "canceled",
  text: string,
  nowMs: number,
): CommandStand {
  return { state, word: { ...word, state, timeMs: nowMs, text, by: "server" } };
}

function rankOf(state: CommandState): number {
  return ranks[state] ?? finalRank;
}
