/**
 * The sessions that have not ended. Each change is in the journal on the disk before anybody sees it or acts on it:
 * whatever happens to this process, the next one knows how far a session had come.
 */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { RunIssue } from "../../protocol/run-order.ts";
import type { SessionRecord, SessionState } from "../../protocol/session-record.ts";
import type { SessionStore } from "../state/state.ts";
import { assertTransition } from "./session-machine.ts";

/** What may change about a session. */
export type SessionPatch = Partial<Omit<SessionRecord, "id" | "policy" | "kind" | "state">>;

export class SessionJournal {
  readonly #store: SessionStore;
  readonly #changed: (session: SessionRecord) => void;
  readonly #live = new Map<string, SessionRecord>();

  /** `changed` is told of each change, after it is durable. */
  constructor(store: SessionStore, changed: (session: SessionRecord) => void) {
    this.#store = store;
    this.#changed = changed;
  }

  /** The sessions that an earlier process has left unfinished, oldest first. */
  load(): readonly SessionRecord[] {
    const found = this.#store.unfinished();
    for (const session of found) this.#live.set(session.id, session);
    return found;
  }

  add(session: SessionRecord): void {
    this.#put(session);
  }

  /** All that have not finished. */
  live(): readonly SessionRecord[] {
    return [...this.#live.values()];
  }

  /** A session that has not finished. */
  find(id: string): SessionRecord | undefined {
    return this.#live.get(id);
  }

  /** Changes a session without another state. */
  update(id: string, patch: SessionPatch): SessionRecord {
    return this.#put({ ...this.#get(id), ...patch });
  }

  /** Takes a session to another state. INTERNAL if it can't go there. */
  move(id: string, state: SessionState, patch: SessionPatch = {}): SessionRecord {
    const session = this.#get(id);
    assertTransition(session.state, state);
    return this.#put({ ...session, ...patch, state });
  }

  /** Finishes a session from any state: for mistakes of ours, which must not keep its policy busy for ever. */
  abandon(id: string, patch: SessionPatch): void {
    const session = this.#live.get(id);
    if (session !== undefined) this.#put({ ...session, ...patch, state: "finished" });
  }

  /** The address that the policy's newest finished session had reached, if one of the last ten got so far. */
  locationBefore(policy: string): string | undefined {
    return this.#store
      .list({ policy, states: ["finished"], limit: 10 })
      .find(({ location }) => location !== undefined)?.location;
  }

  addIssues(id: string, issues: readonly RunIssue[]): void {
    if (issues.length > 0) this.#store.addIssues(id, issues);
  }

  #get(id: string): SessionRecord {
    const session = this.#live.get(id);
    if (session === undefined)
      throw new BackstayError("INTERNAL", { problem: "a session changes that has ended" });
    return session;
  }

  #put(session: SessionRecord): SessionRecord {
    this.#store.put(session);
    if (session.state === "finished") this.#live.delete(session.id);
    else this.#live.set(session.id, session);
    this.#changed(session);
    return session;
  }
}
