/** Reading blobs, whole or in part, and comparing what arrives with the checksum that Azure sends along. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { BlobDownloadResponseParsed } from "@azure/storage-blob";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { type HttpContent, isSame, readRange, readWhole } from "../http/http-body.ts";
import { type ByteRange, type Handle, handlePath, type StreamedObject } from "../object-store.ts";
import type { AzureConnection } from "./azure-connection.ts";

/** For longer parts of a blob Azure makes no checksum. */
const checkedRangeBytesMax = 4 * 1024 * 1024;

interface Download extends HttpContent {
  readonly body: Readable;
  /** Of what is on the way, in base64. */
  readonly md5: string | undefined;
}

export class AzureDownloads {
  readonly #connection: AzureConnection;
  readonly #prefix: string;

  constructor(connection: AzureConnection, prefix: string) {
    this.#connection = connection;
    this.#prefix = prefix;
  }

  /** As the contract's `load`. */
  async load(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const _file = handlePath(handle);
    return await this.#use(handle, range, signal, async (download) => {
      const data =
        range === undefined
          ? await readWhole(handle, download)
          : await readRange(handle, range, download);
      if (download.md5 !== undefined && download.md5 !== md5(data)) throw changed(handle);
      return data;
    });
  }

  /** True if the blob is `data`; reads no further than to the first difference. STORE_NOT_FOUND. */
  async isSame(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<boolean> {
    return await this.#use(
      handle,
      undefined,
      signal,
      async (download) => await isSame(handle, data, download),
    );
  }

  /** As the contract's `open`. */
  async open(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<StreamedObject | undefined> {
    const file = handlePath(handle);
    const download = await this.#download(handle, range, signal).catch((error: unknown) => {
      if (isBackstayError(error, "STORE_NOT_FOUND")) return undefined;
      throw error;
    });
    if (download === undefined) return undefined;
    const { body, length = 0 } = download;
    const [, total] = /\/(\d{1,15})$/.exec(download.header("content-range") ?? "") ?? [];
    const sizeBytes = total === undefined ? length : Number(total);
    if (range !== undefined && length !== range.length) {
      body.destroy();
      throw new BackstayError("STORE_RANGE", { file, sizeBytes, ...range });
    }
    const failure = (error: unknown): unknown => this.#connection.failure(error, { file }, signal);
    const parts = checkedParts(handle, download, failure);
    return { sizeBytes, body: Readable.from(parts, { objectMode: false }) };
  }

  async #use<T>(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
    act: (download: Download) => Promise<T>,
  ): Promise<T> {
    const download = await this.#download(handle, range, signal);
    try {
      return await act(download);
    } catch (error) {
      throw this.#connection.failure(error, { file: handlePath(handle) }, signal);
    } finally {
      download.body.destroy();
    }
  }

  async #download(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<Download> {
    const file = handlePath(handle);
    const isChecked = range !== undefined && range.length <= checkedRangeBytesMax;
    return await this.#connection.call({ file }, signal, async (container) => {
      const response = await container
        .getBlobClient(`${this.#prefix}${file}`)
        .download(range?.offset, range?.length, {
          abortSignal: signal,
          maxRetryRequests: 0,
          ...(isChecked ? { rangeGetContentMD5: true } : {}),
        });
      return downloadOf(response, handle);
    });
  }
}

function downloadOf(response: BlobDownloadResponseParsed, handle: Handle): Download {
  const { _response: answer, contentLength, contentMD5, readableStreamBody } = response;
  if (!(readableStreamBody instanceof Readable))
    throw new BackstayError("STORE_UNAVAILABLE", {
      file: handlePath(handle),
      problem: "its answer has no content",
    });
  return {
    status: answer.status,
    // Blobs of rclone have an empty Content-Encoding, which is none.
    header: (name) => {
      const value = answer.headers.get(name);
      return value === "" ? undefined : value;
    },
    length: contentLength,
    body: readableStreamBody,
    md5: contentMD5 === undefined ? undefined : Buffer.from(contentMD5).toString("base64"),
  };
}

/** What `download` brings; ends with an error if that was less than it should be, or other bytes. */
async function* checkedParts(
  handle: Handle,
  download: Download,
  failure: (error: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("md5");
  try {
    for await (const part of download.body as AsyncIterable<Uint8Array>) {
      hash.update(part);
      yield part;
    }
    if (download.md5 !== undefined && download.md5 !== hash.digest("base64")) throw changed(handle);
  } catch (error) {
    throw failure(error);
  } finally {
    download.body.destroy();
  }
}

function md5(data: Uint8Array): string {
  return createHash("md5").update(data).digest("base64");
}

function changed(handle: Handle): BackstayError {
  return new BackstayError("STORE_UNAVAILABLE", {
    file: handlePath(handle),
    problem: "what arrived is not what its checksum says",
  });
}
