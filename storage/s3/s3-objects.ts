/** Single objects below one prefix of a bucket: how large they are, and what is in them. */
import type { Readable } from "node:stream";
import type { HeadObjectCommandOutput } from "@aws-sdk/client-s3";
import {
  BackstayError,
  type ErrorContext,
  isBackstayError,
} from "../../protocol/backstay-error.ts";
import { type HttpContent, isSame, rangeHeader } from "../http/http-body.ts";
import { type ByteRange, type Handle, handlePath } from "../object-store.ts";
import type { S3Connection } from "./s3-connection.ts";

/** An object that is being read. The body is read or destroyed. */
export interface OpenObject {
  readonly content: HttpContent;
  readonly body: Readable;
}

export class S3Objects {
  readonly connection: S3Connection;
  readonly prefix: string;

  /** `prefix`: empty, or ends with a slash. */
  constructor(connection: S3Connection, prefix: string) {
    this.connection = connection;
    this.prefix = prefix;
  }

  /** What names the object in a request. */
  target(handle: Handle): { Bucket: string; Key: string } {
    return { Bucket: this.connection.place.bucket, Key: this.prefix + handlePath(handle) };
  }

  /** Bytes; undefined if there is none. */
  async size(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    return await this.head(handle, signal, ({ ContentLength }) => {
      if (ContentLength !== undefined) return ContentLength;
      throw noAnswer(handle);
    });
  }

  /** What `use` takes from the object's description; undefined if there is none. */
  async head<T>(
    handle: Handle,
    signal: AbortSignal,
    use: (said: Pick<HeadObjectCommandOutput, "ContentLength" | "ObjectLockRetainUntilDate">) => T,
  ): Promise<T | undefined> {
    const facts = factsOf(handle);
    const ask = async (): Promise<HeadObjectCommandOutput> => {
      const said = await this.connection.send(
        ({ HeadObjectCommand }) => new HeadObjectCommand(this.target(handle)),
        facts,
        signal,
      );
      if (said.ETag === undefined) throw noAnswer(handle);
      return said;
    };
    try {
      return use(await ask());
    } catch (error) {
      if (isBackstayError(error, "STORE_NOT_FOUND")) return undefined;
      if (!isBackstayError(error, "STORE_DENIED") || "said" in error.context) throw error;
    }
    // What is refused in a HEAD has no reason with it; the same question with an answer has, and may put it right.
    try {
      const opened = await this.open(handle, { offset: 0, length: 1 }, signal).catch((error) => {
        if (!isBackstayError(error, "STORE_RANGE")) throw error;
      });
      opened?.body.destroy();
      return use(await ask());
    } catch (error) {
      if (isBackstayError(error, "STORE_NOT_FOUND")) return undefined;
      if (isBackstayError(error, "STORE_DENIED") && (await this.#isUnlisted(handle, signal)))
        return undefined;
      throw error;
    }
  }

  /**
   * True if the server lists no such object. Whoever may list below a prefix only is told of what is not there as of what
   * is forbidden.
   */
  async #isUnlisted(handle: Handle, signal: AbortSignal): Promise<boolean> {
    const { Bucket, Key } = this.target(handle);
    try {
      const { Contents = [] } = await this.connection.send(
        ({ ListObjectsV2Command }) => new ListObjectsV2Command({ Bucket, Prefix: Key, MaxKeys: 1 }),
        factsOf(handle),
        signal,
      );
      return Contents.every((found) => found.Key !== Key);
    } catch (error) {
      if (isBackstayError(error, "STORE_DENIED")) return false;
      throw error;
    }
  }

  /** Asks for the object or a range of it; undefined if there is none. */
  async open(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<OpenObject | undefined> {
    const target = this.target(handle);
    try {
      const said = await this.connection.send(
        ({ GetObjectCommand }) =>
          new GetObjectCommand({
            ...target,
            ...(range !== undefined && { Range: rangeHeader(range) }),
          }),
        factsOf(handle),
        signal,
      );
      const body = said.Body as Readable;
      if (said.ETag === undefined) {
        body.on("error", () => undefined).destroy();
        throw noAnswer(handle);
      }
      const headers: Readonly<Record<string, string | undefined>> = {
        "content-range": said.ContentRange,
        "content-encoding": said.ContentEncoding,
      };
      const content: HttpContent = {
        status: said.$metadata.httpStatusCode ?? 200,
        header: (name) => headers[name],
        length: said.ContentLength,
        body,
      };
      return { content, body };
    } catch (error) {
      if (isBackstayError(error, "STORE_NOT_FOUND")) return undefined;
      throw error;
    }
  }

  /** What `use` reads of the object; undefined if there is none. */
  async read<T>(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
    use: (content: HttpContent) => Promise<T>,
  ): Promise<T | undefined> {
    const opened = await this.open(handle, range, signal);
    if (opened === undefined) return undefined;
    const { body, content } = opened;
    try {
      return await use(content);
    } catch (error) {
      throw this.connection.failure(error, factsOf(handle), signal);
    } finally {
      body.on("error", () => undefined).destroy();
    }
  }

  /** Whether the object has this content. */
  async compare(
    handle: Handle,
    data: Uint8Array,
    signal: AbortSignal,
  ): Promise<"same" | "other" | "absent"> {
    const same = await this.read(handle, undefined, signal, (content) =>
      isSame(handle, data, content),
    );
    if (same === undefined) return "absent";
    return same ? "same" : "other";
  }
}

/** The error for what every S3 server says and this one does not: something else has answered, such as a hotel's page. */
export function noAnswer(handle: Handle): BackstayError {
  const problem = "its answer is none of an S3 server";
  return new BackstayError("STORE_UNAVAILABLE", { ...factsOf(handle), problem });
}

/** What errors about an object tell. */
export function factsOf(handle: Handle): ErrorContext {
  return { file: handlePath(handle) };
}
