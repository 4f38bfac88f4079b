/** Reading what a server answers: exactly the bytes that were asked for, or an error. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { type ByteRange, type Handle, handlePath, loadBytesMax } from "../object-store.ts";
import type { HttpAnswer } from "./http-transport.ts";

/** The part of an answer that is read here. */
export type HttpContent = Pick<HttpAnswer, "status" | "header" | "length" | "body">;

/** Value of the header that asks for `range`. */
export function rangeHeader({ offset, length }: ByteRange): string {
  return `bytes=${offset}-${offset + length - 1}`;
}

/** The whole file of a 200. STORE_RANGE if it is longer than `loadBytesMax`. */
export async function readWhole(handle: Handle, answer: HttpContent): Promise<Uint8Array> {
  refuseChanged(handle, answer);
  if (answer.length !== undefined) {
    if (answer.length > loadBytesMax) throw tooLong(handle, answer.length);
    return await readExactly(handle, answer.body, 0, answer.length);
  }
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of answer.body) {
    bytes += part.length;
    if (bytes > loadBytesMax) throw tooLong(handle, bytes);
    parts.push(part);
  }
  return joined(parts, bytes);
}

/** Exactly `range`, of a 206, or of a 200 of a server that sends all of it. STORE_RANGE if the file ends before. */
export async function readRange(
  handle: Handle,
  range: ByteRange,
  answer: HttpContent,
): Promise<Uint8Array> {
  refuseChanged(handle, answer);
  const { offset, length } = range;
  if (answer.status === 200) {
    if (answer.length !== undefined && answer.length < offset + length)
      throw tooShort(handle, range, answer.length);
    return await readExactly(handle, answer.body, offset, length);
  }
  const said = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(
    answer.header("content-range") ?? "",
  );
  if (said === null) throw broken(handle, "it does not say which part of the file it sends");
  const [first, last, total] = said.slice(1).map(Number);
  if (first !== offset) throw broken(handle, "it sends another part of the file");
  if (last - first + 1 < length)
    throw total === last + 1
      ? tooShort(handle, range, total)
      : broken(handle, "it sends less than was asked for");
  return await readExactly(handle, answer.body, 0, length);
}

/** True if the whole file of a 200 is `data`; reads no further than to the first difference. */
export async function isSame(
  handle: Handle,
  data: Uint8Array,
  answer: HttpContent,
): Promise<boolean> {
  refuseChanged(handle, answer);
  if (answer.length !== undefined && answer.length !== data.length) return false;
  let at = 0;
  for await (const part of answer.body) {
    const expected = data.subarray(at, at + part.length);
    if (Buffer.compare(part, expected) !== 0) return false;
    at += part.length;
  }
  return at === data.length;
}

/** The part of the body at `skip`; what comes after it is not waited for. */
async function readExactly(
  handle: Handle,
  body: AsyncIterable<Uint8Array>,
  skip: number,
  length: number,
): Promise<Uint8Array> {
  // Not zeroed: it is returned only when all of it has arrived.
  const data = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  let position = -skip;
  for await (const part of body) {
    if (position < length && position + part.length > 0) {
      const from = Math.max(0, -position);
      const used = part.subarray(from, Math.min(part.length, length - position));
      data.set(used, position + from);
    }
    position += part.length;
    if (position > length && skip === 0) throw broken(handle, "it sends more than was asked for");
    if (position >= length && skip > 0) break;
  }
  if (position < length) throw broken(handle, "its answer ended too early");
  return data;
}

function joined(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const data = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return data;
}

/** What a proxy has compressed is not what is stored. */
function refuseChanged(handle: Handle, answer: HttpContent): void {
  const encoding = answer.header("content-encoding") ?? "identity";
  if (encoding !== "identity")
    throw broken(handle, "something on the way has encoded the content anew");
}

function tooLong(handle: Handle, sizeBytes: number): BackstayError {
  return new BackstayError("STORE_RANGE", {
    file: handlePath(handle),
    sizeBytes,
    most: loadBytesMax,
  });
}

function tooShort(handle: Handle, range: ByteRange, sizeBytes: number): BackstayError {
  return new BackstayError("STORE_RANGE", { file: handlePath(handle), sizeBytes, ...range });
}

function broken(handle: Handle, problem: string): BackstayError {
  return new BackstayError("STORE_UNAVAILABLE", { file: handlePath(handle), problem });
}
