/** The parts of a daemon that everything else stands on: its place, its log, its state, its conditions. */
import type { BackstayError } from "../../protocol/backstay-error.ts";
import { claimDaemonPlace, type DaemonPlace } from "../local-api/daemon-place.ts";
import { openState } from "../state/open-state.ts";
import type { State } from "../state/state.ts";
import { ChangeSignal } from "./change-signal.ts";
import type { DaemonOptions } from "./daemon-options.ts";
import { type DaemonPlaces, daemonPlaces, makeFolders } from "./daemon-places.ts";
import { HealthBoard } from "./health/health-board.ts";
import { stateTrouble } from "./health/health-checks.ts";
import { DaemonLog } from "./log/daemon-log.ts";

export interface DaemonCore {
  readonly options: DaemonOptions;
  readonly places: DaemonPlaces;
  readonly place: DaemonPlace;
  readonly log: DaemonLog;
  readonly state: State;
  readonly board: HealthBoard;
  /** Told of everything that may change what `status` answers. */
  readonly changes: ChangeSignal;
}

/** Rejects with DAEMON_RUNNING or DAEMON_PLACE; a disk that does not work is a condition and not an error. */
export async function openCore(options: DaemonOptions): Promise<DaemonCore> {
  const { environment, clock, isJournal, print, ownUid } = options;
  const places = daemonPlaces(environment);
  const place = await claimDaemonPlace(places.socket, ownUid);
  const nowMs = (): number => clock.now();
  const changes = new ChangeSignal();
  const troubles: BackstayError[] = [];
  let board: HealthBoard | undefined;
  let logProblem: string | undefined;
  const log = new DaemonLog({
    nowMs,
    isJournal,
    file: places.log,
    ...(print !== undefined && { print }),
    onTrouble: (problem) => {
      logProblem = problem;
      if (board !== undefined) setLogProblem(board, problem);
    },
  });
  try {
    makeFolders(places, (error) => log.failure("A folder could not be made.", error));
    const state = openState({
      folder: places.state,
      nowMs,
      onTrouble: (trouble) => {
        log.failure("The agent's database is not as it should be.", trouble);
        if (board === undefined) troubles.push(trouble);
        // It tells in the middle of its own work.
        else setImmediate(() => board !== undefined && stateTrouble(board, trouble));
      },
    });
    board = new HealthBoard(state.conditions, nowMs, () => changes.tell());
    for (const trouble of troubles) stateTrouble(board, trouble);
    setLogProblem(board, logProblem);
    return { options, places, place, log, state, board, changes };
  } catch (error) {
    log.close();
    place.release();
    throw error;
  }
}

function setLogProblem(board: HealthBoard, problem: string | undefined): void {
  board.set("LOG_UNWRITABLE", "", problem === undefined ? undefined : { problem });
}
