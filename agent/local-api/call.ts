/** One request of the local API, as those who answer it get it. */
import type { Caller } from "./caller.ts";
import type { DaemonView } from "./daemon-view.ts";
import type { LineStream } from "./line-stream.ts";
import type { StatusFeed } from "./status-feed.ts";

/** A request that was read and is allowed. */
export interface Call {
  readonly caller: Caller;
  /** What stands in the path for `*`, decoded. */
  readonly name: string;
  readonly query: URLSearchParams;
  /** The JSON of a POST. */
  readonly body: unknown;
  /** Aborted when the caller goes away, or has waited for too long. */
  readonly signal: AbortSignal;
}

/** What every answer may draw on. */
export interface RouteContext {
  readonly view: DaemonView;
  readonly feed: StatusFeed;
}

/** Begins an answer that is a stream. `onIdle` takes the place of heartbeats. */
export type OpenStream = (onIdle?: () => void) => LineStream;
