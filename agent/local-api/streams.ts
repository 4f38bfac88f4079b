/** The answers that go on: status, one session, the log. Each ends with its reader or with what it shows. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { LogMessage } from "../../protocol/local-api/log-line.ts";
import type { SessionMessage } from "../../protocol/local-api/session-stream.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import type { Call, OpenStream, RouteContext } from "./call.ts";
import type { SessionEvents } from "./daemon-view.ts";
import type { LineStream } from "./line-stream.ts";
import { statusView } from "./status-view.ts";

/** The status now, and after each change; as often as a heartbeat would come even without one. */
export async function streamStatus(
  { view, feed }: RouteContext,
  { caller }: Call,
  open: OpenStream,
): Promise<void> {
  const first = await view.status();
  const stream = open(() => feed.refresh());
  stream.sendLatest(statusView(first, caller.mayControl));
  stream.onEnd = feed.add({
    show: (facts) => stream.sendLatest(statusView(facts, caller.mayControl)),
    fail: () => stream.destroy(),
  });
}

/** One session until it has ended. SESSION_NOT_FOUND. */
export async function streamSession(
  { view }: RouteContext,
  { name }: Call,
  open: OpenStream,
): Promise<void> {
  const backlog = new Backlog<SessionMessage>(sendOfSession);
  const followed = await view.followSession(name, sessionEvents(backlog.tell));
  if (followed === undefined) throw new BackstayError("SESSION_NOT_FOUND", { session: name });
  const stream = open();
  stream.onEnd = followed.stop;
  stream.send({ type: "session", session: followed.session } satisfies SessionMessage);
  const issues = followed.issues.map((issue): SessionMessage => ({ type: "issue", issue }));
  stream.sendPaced(issues, () => {
    if (followed.session.state === "finished") sendOfSession(stream, endOf(followed.session));
    else backlog.release(stream);
  });
}

function sessionEvents(tell: (message: SessionMessage) => void): SessionEvents {
  return {
    changed: (session) => {
      tell(session.state === "finished" ? endOf(session) : { type: "session", session });
    },
    progress: (progress) => tell({ type: "progress", progress }),
    issue: (issue) => tell({ type: "issue", issue }),
  };
}

function endOf(session: SessionRecord): SessionMessage {
  return { type: "end", session };
}

function sendOfSession(stream: LineStream, message: SessionMessage): void {
  if (message.type === "progress") stream.sendLatest(message);
  else if (message.type === "issue") stream.sendIfRoom(message);
  else stream.send(message);
  if (message.type === "end") stream.finish();
}

/** The end of the log, and what is written from then on if that is wanted. */
export async function streamLog(
  { view }: RouteContext,
  open: OpenStream,
  wanted: { readonly count: number; readonly isFollowed: boolean },
): Promise<void> {
  const backlog = new Backlog<LogMessage>((stream, message) => stream.sendIfRoom(message));
  const reading = await view.readLog(
    wanted.count,
    wanted.isFollowed ? (line) => backlog.tell({ type: "line", line }) : undefined,
  );
  const stream = open();
  stream.onEnd = reading.stop;
  const lines = reading.lines.map((line): LogMessage => ({ type: "line", line }));
  stream.sendPaced(lines, () => {
    if (wanted.isFollowed) {
      backlog.release(stream);
      return;
    }
    stream.send({ type: "end" } satisfies LogMessage);
    stream.finish();
  });
}

/** Holds what happens while the reader is still being told what was before; a bounded number of messages. */
class Backlog<M extends SessionMessage | LogMessage> {
  readonly #send: (stream: LineStream, message: M) => void;
  readonly #held: M[] = [];
  #lost = 0;
  #stream: LineStream | undefined;

  constructor(send: (stream: LineStream, message: M) => void) {
    this.#send = send;
  }

  readonly tell = (message: M): void => {
    if (this.#stream !== undefined) this.#send(this.#stream, message);
    else if (this.#held.length < 1000 || isState(message)) this.#held.push(message);
    else this.#lost += 1;
  };

  /** Sends what was held, and everything from now on as it comes. */
  release(stream: LineStream): void {
    this.#stream = stream;
    if (this.#lost > 0) stream.send({ type: "lost", count: this.#lost });
    for (const message of this.#held.splice(0)) this.#send(stream, message);
  }
}

/** Few, and what a follower of a session waits for. */
function isState({ type }: SessionMessage | LogMessage): boolean {
  return type === "session" || type === "end";
}
