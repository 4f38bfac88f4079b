/** A session, followed while it runs. */
import type { RunIssue, RunProgress } from "../run-order.ts";
import type { SessionRecord } from "../session-record.ts";

/**
 * A line of `GET …/sessions/ID/follow`. The first is `session`, then come the issues so far and what happens from then on,
 * `session` again at each change of its record; the last is `end`, soon if it has ended already. A stream that stops
 * without `end` lost its daemon.
 */
export type SessionMessage =
  | { readonly type: "session"; readonly session: SessionRecord }
  /** The newest only: a slow reader misses those between. */
  | { readonly type: "progress"; readonly progress: RunProgress }
  | { readonly type: "issue"; readonly issue: RunIssue }
  /** So many issues were left out because the reader was slow; the session has them. */
  | { readonly type: "lost"; readonly count: number }
  | { readonly type: "heartbeat" }
  | { readonly type: "end"; readonly session: SessionRecord };
