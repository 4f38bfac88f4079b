/** Reads what is piped into a command. */
import { addAbortSignal, type Readable } from "node:stream";

/** A stream to its end, or its first bytes if it has more than `bytesMax`: then one byte more than that. */
export async function readAtMost(
  stream: Readable,
  bytesMax: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of addAbortSignal(signal, stream)) {
    parts.push(part as Uint8Array);
    length += (part as Uint8Array).length;
    if (length > bytesMax) break;
  }
  return Buffer.concat(parts).subarray(0, bytesMax + 1);
}
