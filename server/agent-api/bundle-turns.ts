/**
 * How many machines are told at once that there is another bundle for them: the next is told when one before it has got
 * its bundle, and the server is not behind with what machines then have to say. So a change reaches all as fast as the
 * server, its database and its neighbours can bear, and not faster.
 */

const fetchingMax = 30;
/** Who was told and has not come after this does not come, or comes elsewhere. */
const fetchingMsMax = 10_000;
/** While the server is behind, it is asked that often whether it still is. */
const behindLookMs = 100;

/** A place in the line; `isMine` from the moment that `onTurn` is called until it is left. */
export interface BundleTurn {
  readonly isMine: boolean;
  /** Makes room for another, unless the machine is told and fetches its bundle. */
  leave(): void;
}

interface Entry {
  readonly agentId: string;
  readonly onTurn: () => void;
  isMine: boolean;
}

export class BundleTurns {
  /** In the order in which they asked. */
  readonly #waiting = new Set<Entry>();
  /** Since when (ms, monotonic) an agent may fetch; the longest first. */
  readonly #fetching = new Map<string, number>();
  readonly #isBehind: () => boolean;
  readonly #mostAtOnce: number;
  #timer: NodeJS.Timeout | undefined;

  /** `isBehind`: the server has more to do for machines than it should. */
  constructor(isBehind: () => boolean = () => false, mostAtOnce: number = fetchingMax) {
    this.#isBehind = isBehind;
    this.#mostAtOnce = mostAtOnce;
  }

  /** Stands in line for that agent; `onTurn` may be called before this returns. */
  ask(agentId: string, onTurn: () => void): BundleTurn {
    const entry: Entry = { agentId, onTurn, isMine: false };
    this.#waiting.add(entry);
    this.#next();
    return {
      get isMine() {
        return entry.isMine;
      },
      leave: () => {
        this.#waiting.delete(entry);
        if (entry.isMine) this.#fetching.delete(agentId);
        entry.isMine = false;
        this.#next();
      },
    };
  }

  /** An agent got its bundle. One that was told by another replica stands for one of ours, which then went there. */
  fetched(agentId: string, isHeldHere: boolean): void {
    const [longest] = this.#fetching.keys();
    if (!this.#fetching.delete(agentId) && !isHeldHere && longest !== undefined)
      this.#fetching.delete(longest);
    this.#next();
  }

  #next(): void {
    clearTimeout(this.#timer);
    const now = performance.now();
    for (const [agentId, sinceMs] of this.#fetching)
      if (now - sinceMs >= fetchingMsMax) this.#fetching.delete(agentId);
    const isBehind = this.#isBehind();
    for (const entry of this.#waiting) {
      if (isBehind || this.#fetching.size >= this.#mostAtOnce) break;
      this.#waiting.delete(entry);
      this.#fetching.delete(entry.agentId);
      this.#fetching.set(entry.agentId, now);
      entry.isMine = true;
      entry.onTurn();
    }
    if (this.#waiting.size === 0) return;
    const [sinceMs = now] = this.#fetching.values();
    const waitMs = isBehind ? behindLookMs : sinceMs + fetchingMsMax - now;
    this.#timer = setTimeout(() => this.#next(), waitMs);
    this.#timer.unref();
  }
}
