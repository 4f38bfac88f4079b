/** Asks for a password on the terminal, without showing it. */
import { addAbortSignal, type Readable } from "node:stream";
import type { ReadStream } from "node:tty";
import type { Screen } from "./screen.ts";

const key = {
  interrupt: 0x03,
  end: 0x04,
  backspace: 0x08,
  lineFeed: 0x0a,
  enter: 0x0d,
  clear: 0x15,
  rubOut: 0x7f,
};
const lineEnds: readonly number[] = [key.enter, key.lineFeed, key.end];
const passwordBytesMax = 4096;

/** Resolves with the bytes typed up to Enter; rejects with the signal's reason. `terminal` must be a terminal. */
export async function askPassword(
  terminal: ReadStream,
  screen: Screen,
  question: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  signal.throwIfAborted();
  const typed: number[] = [];
  return await new Promise<Uint8Array>((resolve, reject) => {
    const stop = (): void => {
      terminal.off("data", onData);
      terminal.off("end", onEnd);
      signal.removeEventListener("abort", onAbort);
      terminal.setRawMode(false);
      terminal.pause();
      screen.note("");
    };
    const onAbort = (): void => {
      stop();
      reject(signal.reason);
    };
    const onEnd = (): void => {
      stop();
      resolve(Uint8Array.from(typed));
    };
    const onData = (data: Uint8Array): void => {
      for (const byte of data) {
        if (lineEnds.includes(byte)) {
          onEnd();
          break;
        }
        if (byte === key.interrupt) process.kill(process.pid, "SIGINT");
        else type(typed, byte);
      }
    };
    signal.addEventListener("abort", onAbort, { once: true });
    // Whoever answers at once must not be shown either.
    terminal.setRawMode(true);
    process.stderr.write(question);
    terminal.on("data", onData);
    terminal.on("end", onEnd);
    terminal.resume();
  });
}

function type(typed: number[], byte: number): void {
  if (byte === key.clear) typed.length = 0;
  else if (byte === key.backspace || byte === key.rubOut) eraseCharacter(typed);
  else if (typed.length < passwordBytesMax) typed.push(byte);
}

/** Takes the last character away, all bytes of its UTF-8. */
function eraseCharacter(typed: number[]): void {
  while (typed.length > 0 && ((typed.pop() ?? 0) & 0xc0) === 0x80);
}

/** The first line of a stream that is no terminal, without its line end. */
export async function readSecretLine(stream: Readable, signal: AbortSignal): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of addAbortSignal(signal, stream)) {
    const bytes = part as Uint8Array;
    const end = bytes.indexOf(key.lineFeed);
    parts.push(end < 0 ? bytes : bytes.subarray(0, end));
    length += bytes.length;
    if (end >= 0 || length > passwordBytesMax) break;
  }
  const line = Buffer.concat(parts);
  return new Uint8Array(line.at(-1) === key.enter ? line.subarray(0, -1) : line);
}
