/** Objects of a bucket that pass through. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { assertHandle, assertRead } from "../handle-name.ts";
import {
  type ByteRange,
  type Handle,
  handlePath,
  type StreamedObject,
  type StreamedObjects,
} from "../object-store.ts";
import type { OpenObject, S3Objects } from "./s3-objects.ts";
import type { S3Uploads } from "./s3-uploads.ts";
import type { CreateOutcome } from "./taken-names.ts";

export class S3StreamedObjects implements StreamedObjects {
  readonly #objects: S3Objects;
  readonly #uploads: S3Uploads;

  constructor(objects: S3Objects, uploads: S3Uploads) {
    this.#objects = objects;
    this.#uploads = uploads;
  }

  async receive(
    handle: Handle,
    sizeBytes: number,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<CreateOutcome> {
    assertHandle(handle);
    signal.throwIfAborted();
    return await this.#uploads.createFrom(handle, sizeBytes, source, signal);
  }

  async open(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<StreamedObject | undefined> {
    assertRead(handle, range, signal);
    const opened = await this.#objects.open(handle, range, signal);
    if (opened === undefined) return undefined;
    try {
      return { sizeBytes: sizeOf(handle, range, opened), body: opened.body };
    } catch (error) {
      opened.body.on("error", () => undefined).destroy();
      throw error;
    }
  }
}

/** Of the whole object. STORE_RANGE if it ends before the range does. */
function sizeOf(handle: Handle, range: ByteRange | undefined, { content }: OpenObject): number {
  const file = handlePath(handle);
  const { length } = content;
  if (range === undefined && length !== undefined) return length;
  const said = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(
    content.header("content-range") ?? "",
  );
  const [first, last, sizeBytes] = (said ?? []).slice(1).map(Number);
  if (range === undefined || said === null || first !== range.offset) {
    const problem = "it does not say which part of the file it sends";
    throw new BackstayError("STORE_UNAVAILABLE", { file, problem });
  }
  if (last - first + 1 === range.length) return sizeBytes;
  throw new BackstayError("STORE_RANGE", { file, sizeBytes, ...range });
}
