/** Reads the body of an answer: as a whole, or line by line. */
import { BackstayError, type ErrorContext } from "../../protocol/backstay-error.ts";
import { type ErrorCode, errorCatalog } from "../../protocol/error-catalog.ts";
import type { ExchangeAnswer } from "./local-exchange.ts";

/** More than the longest list of a session's issues. */
const bodyBytesMax = 64 * 1024 * 1024;
const lineBytesMax = 4 * 1024 * 1024;
const lineFeed = 0x0a;

/** The whole body. DAEMON_ANSWER if it is too long, DAEMON_LOST if it is cut off. */
export async function readWhole({ body, lengthBytes }: ExchangeAnswer): Promise<string> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of body) {
    pieces.push(piece);
    sizeBytes += piece.length;
    if (sizeBytes > bodyBytesMax)
      throw new BackstayError("DAEMON_ANSWER", { problem: "it is too long" });
  }
  if (lengthBytes !== undefined && sizeBytes < lengthBytes)
    throw new BackstayError("DAEMON_LOST", { problem: "the answer is cut off" });
  return Buffer.concat(pieces).toString();
}

/** The lines of a stream, parsed, as they arrive. */
export async function* readLines({ body }: ExchangeAnswer): AsyncGenerator<object, undefined> {
  let rest = Buffer.alloc(0);
  for await (const piece of body) {
    rest = Buffer.concat([rest, piece]);
    let start = 0;
    for (let end = rest.indexOf(lineFeed); end >= 0; end = rest.indexOf(lineFeed, start)) {
      yield parseObject(rest.toString("utf8", start, end));
      start = end + 1;
    }
    rest = rest.subarray(start);
    if (rest.length > lineBytesMax)
      throw new BackstayError("DAEMON_ANSWER", { problem: "a line of it is too long" });
  }
  return undefined;
}

/** The JSON object of a text. DAEMON_ANSWER if it is none. */
export function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch (error) {
    throw new BackstayError("DAEMON_ANSWER", { problem: "it is no JSON" }, error);
  }
  throw new BackstayError("DAEMON_ANSWER", { problem: "it is no JSON object" });
}

/** The error that a problem stands for. What a newer daemon knows and this version does not is DAEMON_ANSWER. */
export function problemError(text: string): BackstayError {
  const { code, title, context } = parseObject(text) as Record<string, unknown>;
  if (typeof code === "string" && Object.hasOwn(errorCatalog, code))
    return new BackstayError(code as ErrorCode, factsOf(context));
  return new BackstayError("DAEMON_ANSWER", {
    code: String(code).slice(0, 100),
    title: String(title).slice(0, 500),
  });
}

function factsOf(context: unknown): ErrorContext {
  if (typeof context !== "object" || context === null) return {};
  const facts = Object.entries(context).filter(
    (entry): entry is [string, string | number] =>
      typeof entry[1] === "string" || typeof entry[1] === "number",
  );
  return Object.fromEntries(facts);
}
