/**
 * One request to the daemon and its answer. Written on plain sockets: Node's HTTP client takes longer to load than
 * everything else that `backstay status` does. HTTP/1.0 keeps the answer simple: a head, a body, the end.
 */
import { connect, type Socket } from "node:net";
import { BackstayError } from "../../protocol/backstay-error.ts";

const headBytesMax = 16 * 1024;
const headEnd = Buffer.from("\r\n\r\n");

export interface ExchangeRequest {
  readonly method: "GET" | "POST";
  /** With the version and the query. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
  /** The longest silence, ms: before the answer, and within it. */
  readonly silenceMs: number;
}

export interface ExchangeAnswer {
  readonly status: number;
  /** As the daemon announced it; undefined for a stream. */
  readonly lengthBytes: number | undefined;
  /** The rest of the answer, piece by piece. Rejects with DAEMON_LOST, DAEMON_BUSY or the signal's reason. */
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Sends a request and reads the head of the answer. The body must be read to its end, or left by `return` of its
 * iterator. DAEMON_UNREACHABLE, DAEMON_BUSY, DAEMON_LOST, DAEMON_ANSWER, or the signal's reason.
 */
export async function exchange(
  socketPath: string,
  request: ExchangeRequest,
  signal: AbortSignal,
): Promise<ExchangeAnswer> {
  signal.throwIfAborted();
  const socket = connect(socketPath);
  const pieces = receive(socket, socketPath, request.silenceMs, signal);
  socket.write(requestText(request));
  let head = Buffer.alloc(0);
  for (;;) {
    const { value, done } = await pieces.next();
    if (done === true)
      throw new BackstayError("DAEMON_LOST", { problem: "it closed the connection" });
    head = Buffer.concat([head, value]);
    const end = head.indexOf(headEnd);
    if (end >= 0) {
      const rest = head.subarray(end + headEnd.length);
      return { ...parseHead(head.subarray(0, end)), body: withFirst(rest, pieces) };
    }
    if (head.length > headBytesMax) {
      await pieces.return(undefined);
      throw new BackstayError("DAEMON_ANSWER", { problem: "its head is too long" });
    }
  }
}

function requestText({ method, path, body }: ExchangeRequest): string {
  const head = `${method} ${path} HTTP/1.0\r\nHost: backstay\r\n`;
  if (body === undefined) return `${head}\r\n`;
  const text = JSON.stringify(body);
  const length = Buffer.byteLength(text);
  return `${head}Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${text}`;
}

/** What arrives until the other side ends the connection; the socket is destroyed whichever way this is left. */
async function* receive(
  socket: Socket,
  socketPath: string,
  silenceMs: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, undefined> {
  let isConnected = false;
  socket.once("connect", () => (isConnected = true));
  socket.setTimeout(silenceMs, () =>
    socket.destroy(new BackstayError("DAEMON_BUSY", { seconds: silenceMs / 1000 })),
  );
  const abort = (): void => void socket.destroy(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  try {
    for await (const piece of socket as AsyncIterable<Uint8Array>) yield piece;
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof BackstayError) throw error;
    const problem = (error as NodeJS.ErrnoException).code ?? String(error);
    if (isConnected) throw new BackstayError("DAEMON_LOST", { problem }, error);
    throw new BackstayError("DAEMON_UNREACHABLE", { path: socketPath, problem }, error);
  } finally {
    signal.removeEventListener("abort", abort);
    socket.destroy();
  }
}

async function* withFirst(
  first: Uint8Array,
  rest: AsyncGenerator<Uint8Array, undefined>,
): AsyncGenerator<Uint8Array, undefined> {
  try {
    if (first.length > 0) yield first;
    yield* rest;
    return undefined;
  } finally {
    await rest.return(undefined);
  }
}

function parseHead(head: Buffer): { status: number; lengthBytes: number | undefined } {
  const [first, ...lines] = head.toString("latin1").split("\r\n");
  const match = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first);
  if (match === null) throw new BackstayError("DAEMON_ANSWER", { problem: "it is no HTTP" });
  const length = lines.map((line) => /^content-length:\s*(\d{1,15})\s*$/i.exec(line)).find(Boolean);
  return { status: Number(match[1]), lengthBytes: length ? Number(length[1]) : undefined };
}
