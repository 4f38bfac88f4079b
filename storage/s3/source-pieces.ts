/** Pieces of what is stored: of bytes that are there, and of bytes that arrive. */
import { BackstayError } from "../../protocol/backstay-error.ts";

/** `data` in views of so many bytes; the last may be shorter. */
export function* pieces(data: Uint8Array, pieceBytes: number): Generator<Uint8Array> {
  for (let at = 0; at < data.length; at += pieceBytes) yield data.subarray(at, at + pieceBytes);
}

/**
 * What a source gives, in pieces of so many bytes; the last may be shorter. The array of a piece is used again for the next
 * one. INTERNAL if it is not `sizeBytes` long.
 */
export async function* gathered(
  source: AsyncIterable<Uint8Array>,
  sizeBytes: number,
  pieceBytes: number,
): AsyncGenerator<Uint8Array> {
  const piece = Buffer.allocUnsafeSlow(Math.min(pieceBytes, sizeBytes));
  let filled = 0;
  for await (const chunk of heldBack(source, sizeBytes))
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.subarray(at, at + piece.length - filled);
      piece.set(taken, filled);
      filled += taken.length;
      at += taken.length;
      if (filled < piece.length) continue;
      yield piece;
      filled = 0;
    }
  if (filled > 0) yield piece.subarray(0, filled);
}

/**
 * What a source gives, but the last chunk only when the source has ended well: what it complains of in the end is not
 * stored. `failed` is told of its error, which comes out too. INTERNAL if it is not `sizeBytes` long.
 */
export async function* heldBack(
  source: AsyncIterable<Uint8Array>,
  sizeBytes: number,
  failed: (error: unknown) => void = () => undefined,
): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | undefined;
  let bytes = 0;
  let isGiving = false;
  try {
    for await (const chunk of source) {
      if (chunk.length === 0) continue;
      bytes += chunk.length;
      if (bytes > sizeBytes) break;
      if (held !== undefined) {
        // What is thrown in here is a failure of whoever reads.
        isGiving = true;
        yield held;
        isGiving = false;
      }
      held = chunk;
    }
    if (bytes !== sizeBytes)
      throw new BackstayError("INTERNAL", { problem: "the source has another size", sizeBytes });
  } catch (error) {
    if (!isGiving) failed(error);
    throw error;
  }
  if (held !== undefined) yield held;
}
