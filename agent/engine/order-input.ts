/**
 * The engine's standard input: one line with the order, lines with answers, and an end that says that nobody waits for the
 * run any more.
 */
import type { Readable } from "node:stream";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { type AccountAnswer, type RunOrder, runOrderVersion } from "../../protocol/run-order.ts";
import { sessionKinds } from "../../protocol/session-record.ts";

const orderBytesMax = 16 * 1024 * 1024;

/** What is called while the input is read. */
export interface OrderListener {
  /** The input has ended; once. */
  gone(): void;
  /** Something that was asked for, after the order. */
  answered(answer: AccountAnswer): void;
}

/**
 * Reads the order, and then answers until the input ends. Resolves with undefined if the input ends before the order;
 * rejects with RUN_ORDER_INVALID.
 */
export async function readOrder(
  input: Readable,
  listener: OrderListener,
): Promise<RunOrder | undefined> {
  const line = await new Promise<string | undefined>((resolve, reject) => {
    let parts: Buffer[] = [];
    let bytes = 0;
    let isOrdered = false;
    const take = (text: string): void => {
      if (isOrdered) listener.answered(parseAnswer(text));
      else resolve(text);
      isOrdered = true;
    };
    const onData = (data: Buffer): void => {
      let begin = 0;
      for (let end = data.indexOf(0x0a); end >= 0; end = data.indexOf(0x0a, begin)) {
        parts.push(data.subarray(begin, end));
        take(Buffer.concat(parts).toString("utf8"));
        [parts, bytes, begin] = [[], 0, end + 1];
      }
      parts.push(data.subarray(begin));
      bytes += data.length - begin;
      if (bytes <= orderBytesMax) return;
      reject(invalid(`it is longer than ${orderBytesMax} bytes`));
      input.off("data", onData);
      // Goes on reading, or the end would never be seen.
      input.resume();
    };
    const onEnd = (): void => {
      resolve(undefined);
      listener.gone();
    };
    input.on("data", onData);
    input.once("end", onEnd);
    input.once("error", onEnd);
  });
  return line === undefined ? undefined : parseOrder(line);
}

/** It is the daemon's own word; what can't be read is a mistake of ours. */
function parseAnswer(line: string): AccountAnswer {
  try {
    return JSON.parse(line) as AccountAnswer;
  } catch {
    // The cause would show a piece of the line, which holds an account.
    throw new BackstayError("INTERNAL", { problem: "an answer is no JSON" });
  }
}

function parseOrder(line: string): RunOrder {
  let given: unknown;
  try {
    given = JSON.parse(line);
  } catch {
    // The cause would show a piece of the line, which holds a password.
    throw invalid("it is no JSON");
  }
  const order = given as Partial<RunOrder> | null;
  if (order?.version !== runOrderVersion)
    throw invalid(`its version is ${String(order?.version)}, ours is ${runOrderVersion}`);
  const { repository, work } = order;
  if (typeof repository?.password !== "string" || typeof repository.routes?.[0]?.url !== "string")
    throw invalid("it names no repository or no password");
  if (!sessionKinds.some((kind) => kind === work?.kind))
    throw invalid(`its work is ${String(work?.kind)}`);
  if (work?.kind === "backup" && work.paths.length === 0) throw invalid("it names no path");
  return order as RunOrder;
}

function invalid(problem: string): BackstayError {
  return new BackstayError("RUN_ORDER_INVALID", { problem });
}
