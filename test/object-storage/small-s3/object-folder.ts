/**
 * Objects of buckets in a folder, a file each, whole or not there: what comes in is written beside, made durable, and then
 * given its name. Names of files are those of objects, percent-encoded.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  unlink,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import { S3Refusal } from "./s3-refusal.ts";

export interface StoredObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly changedMs: number;
  /** Without quotation marks. */
  readonly tag: string;
}

/** What the client says of a content that it sends; of each what is absent is not compared. */
export interface ContentClaims {
  /** Hex. */
  readonly sha256?: string | undefined;
  /** Base64. */
  readonly md5?: string | undefined;
}

export interface OpenUpload {
  readonly id: string;
  readonly key: string;
  readonly startedMs: number;
}

export class ObjectFolder {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async makeBucket(bucket: string): Promise<void> {
    await mkdir(path.join(this.#root, bucket, "objects"), { recursive: true });
    await mkdir(path.join(this.#root, bucket, "uploads"), { recursive: true });
  }

  async requireBucket(bucket: string): Promise<void> {
    const found = await stat(path.join(this.#root, bucket, "objects")).catch(() => undefined);
    if (found === undefined) throw new S3Refusal(404, "NoSuchBucket", "There is no such bucket.");
  }

  /** PreconditionFailed if `onlyNew` and something has the name. */
  async put(
    bucket: string,
    key: string,
    content: AsyncIterable<Buffer>,
    claims: ContentClaims,
    onlyNew: boolean,
  ): Promise<string> {
    const incoming = path.join(this.#root, bucket, `.${randomBytes(12).toString("hex")}`);
    try {
      await receive(incoming, content, claims);
      await this.#publish(incoming, bucket, key, onlyNew);
    } finally {
      await rm(incoming, { force: true });
    }
    return (await this.require(bucket, key)).tag;
  }

  /** NoSuchKey. */
  async require(bucket: string, key: string): Promise<StoredObject> {
    const found = await this.#describe(bucket, encodeURIComponent(key));
    if (found === undefined) throw new S3Refusal(404, "NoSuchKey", "There is no such object.");
    return found;
  }

  /** Where the content is. */
  file(bucket: string, key: string): string {
    return path.join(this.#root, bucket, "objects", encodeURIComponent(key));
  }

  async remove(bucket: string, key: string): Promise<void> {
    await rm(this.file(bucket, key), { force: true });
  }

  /** Names that begin with `prefix` and come after `after`, in order, `limit` at most. */
  async keys(bucket: string, prefix: string, after: string): Promise<string[]> {
    const names = await readdir(path.join(this.#root, bucket, "objects"));
    return names
      .map(decodeURIComponent)
      .filter((key) => key.startsWith(prefix) && key > after)
      .sort();
  }

  /** Undefined if it was removed meanwhile. */
  async describe(bucket: string, key: string): Promise<StoredObject | undefined> {
    return await this.#describe(bucket, encodeURIComponent(key));
  }

  async beginUpload(bucket: string, key: string): Promise<string> {
    const id = randomBytes(12).toString("hex");
    await mkdir(this.#upload(bucket, id));
    await writeFile(path.join(this.#upload(bucket, id), "key"), key);
    return id;
  }

  async putPart(
    bucket: string,
    id: string,
    number: number,
    content: AsyncIterable<Buffer>,
    claims: ContentClaims,
  ): Promise<string> {
    const part = path.join(this.#upload(bucket, id), String(number));
    await this.#requireUpload(bucket, id);
    await receive(`${part}.incoming`, content, claims);
    await rename(`${part}.incoming`, part);
    return createHash("md5").update(part).digest("hex");
  }

  /** NoSuchUpload, InvalidPart, PreconditionFailed. */
  async completeUpload(
    bucket: string,
    id: string,
    numbers: readonly number[],
    onlyNew: boolean,
  ): Promise<string> {
    const key = await this.#requireUpload(bucket, id);
    const whole = path.join(this.#upload(bucket, id), "whole");
    const parts = numbers.map((number) => path.join(this.#upload(bucket, id), String(number)));
    await receive(whole, contentOf(parts), {});
    await this.#publish(whole, bucket, key, onlyNew);
    await rm(this.#upload(bucket, id), { recursive: true, force: true });
    return (await this.require(bucket, key)).tag;
  }

  async abortUpload(bucket: string, id: string): Promise<void> {
    await this.#requireUpload(bucket, id);
    await rm(this.#upload(bucket, id), { recursive: true, force: true });
  }

  async uploads(bucket: string, prefix: string): Promise<OpenUpload[]> {
    const ids = await readdir(path.join(this.#root, bucket, "uploads"));
    const found = await Promise.all(
      ids.map(async (id) => {
        const key = await this.#requireUpload(bucket, id);
        const { birthtimeMs } = await stat(this.#upload(bucket, id));
        return { id, key, startedMs: birthtimeMs };
      }),
    );
    return found.filter(({ key }) => key.startsWith(prefix));
  }

  #upload(bucket: string, id: string): string {
    if (!/^[0-9a-f]{24}$/.test(id)) throw noUpload();
    return path.join(this.#root, bucket, "uploads", id);
  }

  async #requireUpload(bucket: string, id: string): Promise<string> {
    try {
      return await readFile(path.join(this.#upload(bucket, id), "key"), "utf8");
    } catch {
      throw noUpload();
    }
  }

  async #describe(bucket: string, name: string): Promise<StoredObject | undefined> {
    const file = path.join(this.#root, bucket, "objects", name);
    const found = await stat(file).catch(() => undefined);
    if (found === undefined) return undefined;
    const tag = createHash("md5").update(`${found.ino} ${found.mtimeMs}`).digest("hex");
    return {
      key: decodeURIComponent(name),
      sizeBytes: found.size,
      changedMs: found.mtimeMs,
      tag: `${tag}-1`,
    };
  }

  async #publish(from: string, bucket: string, key: string, onlyNew: boolean): Promise<void> {
    const file = this.file(bucket, key);
    if (!onlyNew) {
      await rename(from, file);
      return;
    }
    try {
      await link(from, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      throw new S3Refusal(412, "PreconditionFailed", "Something has this name.");
    }
    await unlink(from);
  }
}

async function* contentOf(parts: readonly string[]): AsyncGenerator<Buffer> {
  for (const part of parts) {
    const file = await open(part).catch(() => {
      throw new S3Refusal(400, "InvalidPart", "A part was never sent.");
    });
    yield* file.createReadStream();
  }
}

/** Writes a new file, durable when it resolves; XAmzContentSHA256Mismatch or BadDigest if it is not what was said. */
async function receive(
  file: string,
  content: AsyncIterable<Buffer>,
  { sha256, md5 }: ContentClaims,
): Promise<void> {
  const sums = [createHash("sha256"), createHash("md5")] as const;
  const handle = await open(file, "w", 0o600);
  try {
    for await (const piece of content) {
      sums[0].update(piece);
      if (md5 !== undefined) sums[1].update(piece);
      await handle.writeFile(piece);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  if (sha256 !== undefined && sums[0].digest("hex") !== sha256)
    throw new S3Refusal(400, "XAmzContentSHA256Mismatch", "The content is not the one signed.");
  if (md5 !== undefined && sums[1].digest("base64") !== md5)
    throw new S3Refusal(400, "BadDigest", "The content is not the one that its MD5 is of.");
}

function noUpload(): S3Refusal {
  return new S3Refusal(404, "NoSuchUpload", "There is no such upload.");
}
