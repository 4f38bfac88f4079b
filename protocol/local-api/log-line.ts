/** The daemon's log as the local API shows it. */

export type LogLevel = "debug" | "info" | "warning" | "error";

export interface LogLine {
  /** Ms since 1970. */
  readonly timeMs: number;
  readonly level: LogLevel;
  readonly text: string;
  /** What else is known: policy, session, code. */
  readonly fields: Readonly<Record<string, string | number | boolean>>;
}

/** A line of `GET …/log`. Without `follow` the stream ends with `end`. */
export type LogMessage =
  | { readonly type: "line"; readonly line: LogLine }
  /** So many lines were left out because the reader was slow. */
  | { readonly type: "lost"; readonly count: number }
  | { readonly type: "heartbeat" }
  | { readonly type: "end" };
