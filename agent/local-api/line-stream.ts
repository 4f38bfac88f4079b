/**
 * One answer that is a stream of JSON lines. A reader may be slow, or never read at all: what waits for it is bounded,
 * and one that takes nothing for too long is cut off.
 */
import type { ServerResponse } from "node:http";

/** What may wait for a slow reader, above what the system itself holds for it. */
const waitingBytesMax = 256 * 1024;

const nothing = (): void => undefined;

export interface LineStreamLimits {
  /** After so long without a line a heartbeat is sent, ms. */
  readonly heartbeatMs: number;
  /** A reader that takes nothing for so long is cut off, ms. */
  readonly stallMs: number;
}

export class LineStream {
  readonly #response: ServerResponse;
  readonly #limits: LineStreamLimits;
  readonly #waiting: string[] = [];
  #waitingBytes = 0;
  #lost = 0;
  #latest: object | undefined;
  #isBlocked = false;
  #isFinished = false;
  readonly #heartbeat: NodeJS.Timeout;
  #stall: NodeJS.Timeout | undefined;
  #ended: () => void = nothing;
  /** What waits for the reader to catch up. */
  #goOn: () => void = nothing;

  /** Sends the head. `onIdle` is called instead of sending a heartbeat, where one is given. */
  constructor(response: ServerResponse, limits: LineStreamLimits, onIdle?: () => void) {
    this.#response = response;
    this.#limits = limits;
    const idle = onIdle ?? (() => this.send({ type: "heartbeat" }));
    this.#heartbeat = setInterval(() => {
      if (!this.#isBlocked) idle();
    }, limits.heartbeatMs);
    this.#heartbeat.unref();
    if (response.destroyed || response.headersSent) {
      // The reader went away, or was told to try later, while the answer was being prepared.
      this.#end();
      return;
    }
    response.writeHead(200, { "Content-Type": "application/x-ndjson" });
    response.flushHeaders();
    response.on("drain", () => this.#unblock());
    response.on("close", () => {
      clearTimeout(this.#stall);
      this.#end();
    });
  }

  /** Called once, when no more can be sent: the reader is gone, or the stream is at its end. */
  set onEnd(ended: () => void) {
    if (this.#isFinished) ended();
    else this.#ended = ended;
  }

  /** True while lines leave as they come. */
  get isFlowing(): boolean {
    return !this.#isBlocked && !this.#isFinished;
  }

  /** Adds a line that must arrive. To be used for few and short ones. */
  send(message: object): void {
    if (!this.#isFinished) this.#take(`${JSON.stringify(message)}\n`);
  }

  /** Adds a line that is left out, and counted in a `lost` line, where too much waits already. */
  sendIfRoom(message: object): void {
    if (this.#waitingBytes >= waitingBytesMax) this.#lost += 1;
    else this.send(message);
  }

  /** Adds a line in the place of an earlier one of this kind that has not left yet. */
  sendLatest(message: object): void {
    if (this.isFlowing) this.send(message);
    else if (!this.#isFinished) this.#latest = message;
  }

  /** Adds lines that all must arrive, at the reader's own pace; then calls `done`, unless the reader went away. */
  sendPaced(messages: readonly object[], done: () => void, first = 0): void {
    let next = first;
    while (next < messages.length && this.isFlowing) {
      this.send(messages[next]);
      next += 1;
    }
    if (this.#isFinished) return;
    if (next < messages.length) this.#goOn = () => this.sendPaced(messages, done, next);
    else done();
  }

  /** Ends the stream once all that waits is sent. */
  finish(): void {
    if (this.#isFinished) return;
    const rest = this.#waiting.splice(0).join("") + this.#lostLine();
    this.#response.end(rest);
    this.#startStallClock();
    this.#end();
  }

  /** Ends the stream in the middle, so that the reader sees that something is missing. */
  destroy(): void {
    this.#response.destroy();
    this.#end();
  }

  #take(line: string): void {
    if (this.#isBlocked) {
      this.#waiting.push(line);
      this.#waitingBytes += line.length;
    } else this.#write(line);
  }

  #write(text: string): void {
    this.#heartbeat.refresh();
    if (this.#response.write(text)) return;
    this.#isBlocked = true;
    this.#startStallClock();
  }

  #startStallClock(): void {
    this.#stall ??= setTimeout(() => this.destroy(), this.#limits.stallMs).unref();
  }

  /** Everything that waits goes out in one piece, which is bounded as the queue is. */
  #unblock(): void {
    if (this.#isFinished) return;
    clearTimeout(this.#stall);
    this.#stall = undefined;
    this.#isBlocked = false;
    const latest = this.#latest === undefined ? "" : `${JSON.stringify(this.#latest)}\n`;
    const text = this.#waiting.splice(0).join("") + this.#lostLine() + latest;
    this.#waitingBytes = 0;
    this.#latest = undefined;
    if (text !== "") this.#write(text);
    if (this.#isBlocked) return;
    const goOn = this.#goOn;
    this.#goOn = nothing;
    goOn();
  }

  #lostLine(): string {
    if (this.#lost === 0) return "";
    const line = `${JSON.stringify({ type: "lost", count: this.#lost })}\n`;
    this.#lost = 0;
    return line;
  }

  #end(): void {
    clearInterval(this.#heartbeat);
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#ended();
  }
}
