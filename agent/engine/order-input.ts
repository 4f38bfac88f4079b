/** The engine's standard input: one line with the order, and an end that says that nobody waits for the run any more. */
import type { Readable } from "node:stream";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { type RunOrder, runOrderVersion } from "../../protocol/run-order.ts";
import { sessionKinds } from "../../protocol/session-record.ts";

const orderBytesMax = 16 * 1024 * 1024;

/**
 * Reads the order, and calls `gone` once when the input ends after it. Resolves with undefined if the input ends
 * before; rejects with RUN_ORDER_INVALID.
 */
export async function readOrder(input: Readable, gone: () => void): Promise<RunOrder | undefined> {
  const line = await new Promise<string | undefined>((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    const onData = (data: Buffer): void => {
      const end = data.indexOf(0x0a);
      parts.push(end < 0 ? data : data.subarray(0, end));
      bytes += data.length;
      if (bytes > orderBytesMax) reject(invalid(`it is longer than ${orderBytesMax} bytes`));
      else if (end < 0) return;
      else resolve(Buffer.concat(parts).toString("utf8"));
      input.off("data", onData);
      // Goes on reading, or the end would never be seen.
      input.resume();
    };
    const onEnd = (): void => {
      resolve(undefined);
      gone();
    };
    input.on("data", onData);
    input.once("end", onEnd);
    input.once("error", onEnd);
  });
  return line === undefined ? undefined : parseOrder(line);
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
