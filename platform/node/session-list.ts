/** Who is logged on, and whose screen is locked, for systems that are asked for a list now and then. */
import type { SystemEvent } from "../ports/system-events.ts";

export interface UserSession {
  /** The system's own name of the session. */
  readonly session: string;
  readonly user: string;
  /** Undefined if the system can't tell. */
  readonly isLocked: boolean | undefined;
}

export class SessionList {
  readonly #emit: (event: SystemEvent) => void;
  /** Undefined before the first list. */
  #known: ReadonlyMap<string, UserSession> | undefined;

  constructor(emit: (event: SystemEvent) => void) {
    this.#emit = emit;
  }

  /** Whether a session is locked; undefined as long as nothing is known of any. */
  get isAnyLocked(): boolean | undefined {
    const sessions = [...(this.#known?.values() ?? [])];
    if (sessions.some(({ isLocked }) => isLocked === true)) return true;
    const isTold = sessions.every(({ isLocked }) => isLocked !== undefined);
    return this.#known !== undefined && isTold ? false : undefined;
  }

  /** Takes a whole list: what differs from the one before is emitted. */
  update(sessions: readonly UserSession[]): void {
    const before = this.#known;
    // Sessions may be used again by somebody else: that is another one.
    this.#known = new Map(sessions.map((each) => [`${each.session} ${each.user}`, each]));
    if (before === undefined) return;
    for (const [key, { session, user }] of before)
      if (!this.#known.has(key)) this.#emit({ kind: "log-off", session, user });
    for (const [key, { session, user, isLocked }] of this.#known) {
      const old = before.get(key);
      if (old === undefined) this.#emit({ kind: "log-on", session, user });
      const wasLocked = old?.isLocked ?? false;
      if (isLocked !== undefined && isLocked !== wasLocked)
        this.#emit({ kind: isLocked ? "lock" : "unlock", session, user });
    }
  }
}
