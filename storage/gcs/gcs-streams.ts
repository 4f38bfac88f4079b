/** Objects of a bucket that pass through: no more than one part of one is held. */
import { Readable } from "node:stream";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { assertHandle, assertRead } from "../handle-name.ts";
import { rangeHeader } from "../http/http-body.ts";
import type { HttpAnswer } from "../http/http-transport.ts";
import {
  type ByteRange,
  type Handle,
  handlePath,
  type StreamedObject,
  type StreamedObjects,
} from "../object-store.ts";
import { crc32c, crc32cText } from "./crc32c.ts";
import type { GcsObjects } from "./gcs-objects.ts";
import { partBytes, simpleBytesMax, uploadParts, uploadWhole } from "./gcs-upload.ts";

export class GcsStreams implements StreamedObjects {
  readonly #objects: GcsObjects;

  constructor(objects: GcsObjects) {
    this.#objects = objects;
  }

  async receive(
    handle: Handle,
    sizeBytes: number,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<"created" | "exists"> {
    assertHandle(handle);
    signal.throwIfAborted();
    const target = this.#objects.targetOf(handle);
    const parts = partsOf(handle, source, sizeBytes, signal);
    if (sizeBytes > simpleBytesMax) return await uploadParts(target, sizeBytes, parts, signal);
    const first = await parts.next();
    const only = first.done === true ? new Uint8Array(0) : first.value;
    return await uploadWhole(target, only, signal);
  }

  async open(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<StreamedObject | undefined> {
    assertRead(handle, range, signal);
    const { requests } = this.#objects;
    const request = {
      kind: "get",
      method: "GET",
      path: `${this.#objects.pathOf(handle)}?alt=media`,
      headers: range === undefined ? {} : { range: rangeHeader(range) },
      context: { file: handlePath(handle) },
    } as const;
    const answer = await requests.open(request, signal);
    try {
      const sizeBytes = await this.#sizeOf(handle, range, answer, signal);
      if (sizeBytes === undefined) {
        await answer.end();
        return undefined;
      }
      const expected = range?.length ?? sizeBytes;
      const parts = checkedParts(handle, answer, expected, range === undefined, (error) =>
        requests.failure(error, request, signal),
      );
      const body = Readable.from(parts, { objectMode: false });
      body.once("close", () => void answer.end());
      return { sizeBytes, body };
    } catch (error) {
      await answer.end();
      throw requests.failure(error, request, signal);
    }
  }

  /** Of the whole object; undefined if there is none. */
  async #sizeOf(
    handle: Handle,
    range: ByteRange | undefined,
    answer: HttpAnswer,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    if (answer.status === 200 && range === undefined) {
      const stored = answer.header("x-goog-stored-content-length") ?? "";
      const size = answer.length ?? (/^\d{1,15}$/.test(stored) ? Number(stored) : undefined);
      if (size === undefined) throw broken(handle, "it does not say the size");
      return size;
    }
    if (answer.status === 206 && range !== undefined) {
      const said = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(
        answer.header("content-range") ?? "",
      );
      const [first, last, total] = (said ?? []).slice(1).map(Number);
      if (said === null || first !== range.offset)
        throw broken(handle, "it sends another part of the file");
      if (last - first + 1 === range.length) return total;
      throw new BackstayError("STORE_RANGE", {
        file: handlePath(handle),
        sizeBytes: total,
        ...range,
      });
    }
    if (answer.status === 200) throw broken(handle, "it sends all of the file in place of a part");
    const refusal = await this.#objects.refusal(handle, answer, signal);
    if (refusal.code === "STORE_NOT_FOUND") return undefined;
    throw refusal;
  }
}

/** STORE_UNAVAILABLE if the storage says that all of the object has another checksum. */
export function assertChecksum(handle: Handle, answer: HttpAnswer, crc: number): void {
  const hashes = [answer.headers["x-goog-hash"]].flat().join(",");
  const [, told] = /crc32c=([A-Za-z0-9+/=]{8})/.exec(hashes) ?? [];
  if (told === undefined || told === crc32cText(crc)) return;
  throw broken(handle, "what arrived is not what is stored: its checksum is another");
}

/** What arrives, if it is `expected` bytes and, of a whole object, has its checksum. */
async function* checkedParts(
  handle: Handle,
  answer: HttpAnswer,
  expected: number,
  isWhole: boolean,
  failure: (error: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  let crc = 0;
  try {
    for await (const part of answer.body) {
      bytes += part.length;
      if (bytes > expected) throw broken(handle, "it sends more than was asked for");
      if (isWhole) crc = crc32c(part, crc);
      yield part;
    }
    if (bytes < expected) throw broken(handle, "its answer ended too early");
    if (isWhole) assertChecksum(handle, answer, crc);
  } catch (error) {
    throw failure(error);
  }
}

/** `source` in parts of `partBytes`, the last given only when it has ended as it should. The array is used again. */
async function* partsOf(
  handle: Handle,
  source: AsyncIterable<Uint8Array>,
  sizeBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const part = new Uint8Array(Math.min(partBytes, sizeBytes));
  let filled = 0;
  let bytes = 0;
  for await (const piece of source) {
    signal.throwIfAborted();
    bytes += piece.length;
    if (bytes > sizeBytes) break;
    for (let at = 0; at < piece.length; ) {
      if (filled === part.length) {
        yield part;
        filled = 0;
      }
      const taken = piece.subarray(at, at + part.length - filled);
      part.set(taken, filled);
      filled += taken.length;
      at += taken.length;
    }
  }
  signal.throwIfAborted();
  if (bytes !== sizeBytes)
    throw new BackstayError("STORE_UNAVAILABLE", {
      file: handlePath(handle),
      problem: "what is to be stored is not as long as was said",
    });
  yield part.subarray(0, filled);
}

function broken(handle: Handle, problem: string): BackstayError {
  return new BackstayError("STORE_UNAVAILABLE", { file: handlePath(handle), problem });
}
