/**
 * Sends objects to Google: small ones in one request, others through a session that goes on where it was cut. Both only
 * if nothing has the name, and both with the checksum of everything, which Google compares before it stores.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import {
  BackstayError,
  type ErrorContext,
  isBackstayError,
} from "../../protocol/backstay-error.ts";
import type { HttpAnswer } from "../http/http-transport.ts";
import { crc32c, crc32cText } from "./crc32c.ts";
import { type GcsObject, gcsObject, objectFields } from "./gcs-object.ts";
import type { GcsRequests } from "./gcs-requests.ts";

/** Of the object besides its content. */
export type ObjectDocument = Readonly<Record<string, unknown>> & { readonly name: string };

/** Up to here an object goes in one request, and is sent whole again if that breaks. */
export const simpleBytesMax = 8 * 1024 * 1024;
/** All parts of a session but the last are so long; Google wants multiples of 256 KiB. */
export const partBytes = 8 * 1024 * 1024;

/** So many times a session goes on without having come any further. */
const resumesMax = 4;
const resumeDelayMsFirst = 500;
const resumeDelayMsMax = 30_000;

export interface UploadTarget {
  readonly requests: GcsRequests;
  readonly bucket: string;
  readonly document: ObjectDocument;
  readonly context: ErrorContext;
}

/** `exists`: something has the name, and stays as it is. */
export type UploadOutcome = "created" | "exists";

/** Stores `data` in one request. */
export async function uploadWhole(
  target: UploadTarget,
  data: Uint8Array,
  signal: AbortSignal,
): Promise<UploadOutcome> {
  const { requests, document, context } = target;
  const boundary = randomUUID();
  const crc = crc32c(data);
  const described = JSON.stringify({ ...document, crc32c: crc32cText(crc) });
  const before = `--${boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n${described}\r\n--${boundary}\r\ncontent-type: application/octet-stream\r\n\r\n`;
  const request = {
    kind: "put",
    method: "POST",
    path: uploadPath(target, "multipart"),
    headers: { "content-type": `multipart/related; boundary=${boundary}` },
    body: [Buffer.from(before), data, Buffer.from(`\r\n--${boundary}--`)],
    context,
  } as const;
  const stored = await requests.exchange(request, signal, async (answer) => {
    if (answer.status === 412) return undefined;
    if (answer.status !== 200) throw await answer.refusal();
    return gcsObject(await requests.document(answer));
  });
  if (stored === undefined) return "exists";
  await assertIntact(target, stored, data.length, crc, signal);
  return "created";
}

/** Stores `data` through a session. */
export async function uploadInParts(
  target: UploadTarget,
  data: Uint8Array,
  signal: AbortSignal,
): Promise<UploadOutcome> {
  const document = { ...target.document, crc32c: crc32cText(crc32c(data)) };
  const parts = function* (): Generator<Uint8Array> {
    for (let at = 0; at < data.length; at += partBytes) yield data.subarray(at, at + partBytes);
  };
  return await uploadParts({ ...target, document }, data.length, parts(), signal);
}

/** Stores `parts`, all `partBytes` long but the last, through a session. What they throw comes out. */
export async function uploadParts(
  target: UploadTarget,
  sizeBytes: number,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<UploadOutcome> {
  const session = await UploadSession.open(target, sizeBytes, signal);
  if (session === undefined) return "exists";
  try {
    for await (const part of parts) {
      const stored = await session.send(part, signal);
      if (stored === "exists") return stored;
      if (stored === undefined) continue;
      await assertIntact(target, stored, sizeBytes, session.crc, signal);
      return "created";
    }
  } catch (error) {
    session.giveUp();
    throw error;
  }
  session.giveUp();
  throw unfinished(target.context);
}

/** Removes what was stored, and rejects with STORE_UNAVAILABLE, if it is not what was sent. */
async function assertIntact(
  { requests, bucket, document, context }: UploadTarget,
  stored: GcsObject,
  sizeBytes: number,
  crc: number,
  signal: AbortSignal,
): Promise<void> {
  const isSame = stored.crc32c === undefined || stored.crc32c === crc32cText(crc);
  if (isSame && stored.size === sizeBytes) return;
  const path = `/storage/v1/b/${bucket}/o/${encodeURIComponent(document.name)}?generation=${stored.generation}`;
  const request = { kind: "delete", method: "DELETE", path, context } as const;
  await requests.exchange(request, signal, async (answer) => {
    if (answer.status !== 204 && answer.status !== 404) throw await answer.refusal();
  });
  throw new BackstayError("STORE_UNAVAILABLE", {
    ...context,
    problem: "what was stored is not what was sent, and was removed",
  });
}

/** One upload through a session: parts one after the other, in order, the last with `isLast`. */
class UploadSession {
  readonly #target: UploadTarget;
  readonly #sizeBytes: number;
  readonly #path: string;
  #sentBytes = 0;
  #crc = 0;
  /** What the storage said when it had everything. */
  #stored: GcsObject | undefined;

  private constructor(target: UploadTarget, sizeBytes: number, path: string) {
    this.#target = target;
    this.#sizeBytes = sizeBytes;
    this.#path = path;
  }

  /** Undefined: something has the name. */
  static async open(
    target: UploadTarget,
    sizeBytes: number,
    signal: AbortSignal,
  ): Promise<UploadSession | undefined> {
    const { requests, document, context } = target;
    const request = {
      kind: "put",
      method: "POST",
      path: uploadPath(target, "resumable"),
      headers: {
        "content-type": "application/json; charset=UTF-8",
        "x-upload-content-type": "application/octet-stream",
        "x-upload-content-length": String(sizeBytes),
      },
      body: [Buffer.from(JSON.stringify(document))],
      context,
    } as const;
    return await requests.exchange(request, signal, async (answer) => {
      if (answer.status === 412) return undefined;
      if (answer.status !== 200) throw await answer.refusal();
      return new UploadSession(target, sizeBytes, sessionPath(answer));
    });
  }

  /** The checksum of what has been sent. */
  get crc(): number {
    return this.#crc;
  }

  /**
   * Sends the next part: `partBytes` long, or what is left. After a cut it asks what has arrived and goes on from there.
   * After the last part it resolves with the object, or with `exists` if something has got the name meanwhile.
   */
  async send(part: Uint8Array, signal: AbortSignal): Promise<GcsObject | "exists" | undefined> {
    const from = this.#sentBytes;
    this.#crc = crc32c(part, this.#crc);
    let resumes = 0;
    while (this.#stored === undefined && this.#sentBytes < from + part.length) {
      const before = this.#sentBytes;
      try {
        const outcome = await this.#put(part.subarray(before - from), signal);
        if (outcome === "exists") return outcome;
      } catch (error) {
        if (resumes >= resumesMax || signal.aborted || !goesOn(error)) throw error;
        await delay(waitBefore(resumes, error), undefined, { signal }).catch(() =>
          signal.throwIfAborted(),
        );
        await this.#ask(signal, from).catch((asked: unknown) => {
          if (signal.aborted || !goesOn(asked)) throw asked;
        });
      }
      resumes = this.#sentBytes > before ? 0 : resumes + 1;
      if (resumes > resumesMax) throw unfinished(this.#target.context);
    }
    return this.#stored;
  }

  /** Gives the session up, so that the storage keeps nothing of it. Not waited for: one that stays ends by itself. */
  giveUp(): void {
    const { requests, context } = this.#target;
    const request = { kind: "other", method: "DELETE", path: this.#path, context } as const;
    void requests
      .exchange(request, AbortSignal.timeout(10_000), async () => undefined)
      .catch(() => undefined);
  }

  async #put(bytes: Uint8Array, signal: AbortSignal): Promise<"exists" | undefined> {
    const { requests, context } = this.#target;
    const first = this.#sentBytes;
    const last = first + bytes.length - 1;
    const isLast = last + 1 === this.#sizeBytes;
    const request = {
      kind: "other",
      method: "PUT",
      path: this.#path,
      headers: {
        "content-range": `bytes ${first}-${last}/${this.#sizeBytes}`,
        ...(isLast && { "x-goog-hash": `crc32c=${crc32cText(this.#crc)}` }),
      },
      body: [bytes],
      context,
    } as const;
    return await requests.exchange(request, signal, async (answer) =>
      this.#note(answer, first, last + 1),
    );
  }

  /** Learns what has arrived. */
  async #ask(signal: AbortSignal, from: number): Promise<void> {
    const { requests, context } = this.#target;
    const request = {
      kind: "other",
      method: "PUT",
      path: this.#path,
      headers: { "content-range": `bytes */${this.#sizeBytes}` },
      body: [],
      context,
    } as const;
    await requests.exchange(request, signal, async (answer) =>
      this.#note(answer, from, this.#sizeBytes),
    );
  }

  /** Takes over what the storage says it has, which lies between `least` and `most`. */
  async #note(answer: HttpAnswer, least: number, most: number): Promise<"exists" | undefined> {
    const { requests, context } = this.#target;
    if (answer.status === 200 || answer.status === 201) {
      this.#stored = gcsObject(await requests.document(answer));
      this.#sentBytes = this.#sizeBytes;
      return undefined;
    }
    if (answer.status === 412) return "exists";
    // A session that is not known any more: all of it is to be sent anew.
    if (answer.status === 404 || answer.status === 410)
      throw new BackstayError("STORE_UNAVAILABLE", {
        ...context,
        status: 410,
        problem: "the upload has been forgotten there",
      });
    if (answer.status !== 308) throw await answer.refusal();
    const [, last] = /^bytes=0-(\d{1,15})$/.exec(answer.header("range") ?? "") ?? [];
    const has = last === undefined ? 0 : Number(last) + 1;
    if (has < least || has > most || has >= this.#sizeBytes)
      throw new BackstayError("STORE_UNAVAILABLE", {
        ...context,
        status: 410,
        problem: "the upload has lost bytes there that had arrived",
      });
    this.#sentBytes = has;
    return undefined;
  }
}

function uploadPath({ bucket }: UploadTarget, type: "multipart" | "resumable"): string {
  return `/upload/storage/v1/b/${bucket}/o?uploadType=${type}&ifGenerationMatch=0&fields=${objectFields}`;
}

/** Of the session's address: always at the endpoint that we know, whatever host the storage names. */
function sessionPath(answer: HttpAnswer): string {
  const location = answer.header("location") ?? "";
  if (!URL.canParse(location))
    throw new BackstayError("STORE_UNAVAILABLE", { problem: "it opens no upload" });
  const { pathname, search } = new URL(location);
  return `${pathname}${search}`;
}

/** True for a cut, a limit, or a failure of the storage: the session is still there. */
function goesOn(error: unknown): error is BackstayError {
  if (!isBackstayError(error, "STORE_UNAVAILABLE")) return false;
  const { status } = error.context;
  return typeof status !== "number" || status === 408 || status === 429 || status >= 500;
}

function waitBefore(resumes: number, error: BackstayError): number {
  const told = error.context["retryAfterMs"];
  const own = resumeDelayMsFirst * 2 ** resumes;
  return Math.min(typeof told === "number" ? Math.max(told, own) : own, resumeDelayMsMax);
}

function unfinished(context: ErrorContext): BackstayError {
  return new BackstayError("STORE_UNAVAILABLE", {
    ...context,
    problem: "the upload does not go on: nothing more arrives there",
  });
}
