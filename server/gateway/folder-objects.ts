/**
 * The files of the gateway in a folder: `<tenant>/<repository>/<machine>/` in restic's default layout each, so that restic
 * reads them without us. What is on its way in lies in `.incoming/`, on the same file system.
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, link, lstat, mkdir, open, readdir, rm, unlink } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { openDurableFiles } from "../../platform/open-durable-files.ts";
import type { DurableFiles } from "../../platform/ports/durable-files.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { byteWindow } from "../../storage/byte-window.ts";
import { systemErrorName, toStoreError } from "../../storage/local/local-errors.ts";
import { LocalStore } from "../../storage/local/local-store.ts";
import {
  type ByteRange,
  type FileType,
  type Handle,
  handlePath,
  type StoredFile,
  type StreamedObject,
} from "../../storage/object-store.ts";
import type { GatewayObjects, GatewayPlace } from "./gateway-objects.ts";
import { isPlainId } from "./gateway-path.ts";

const fileMode = 0o400;
const readBytes = 256 * 1024;
/** At most so much is gathered before it is written, in each upload: the parts of a request may be a byte each. */
const writeBytesMax = 256 * 1024;
const never = new AbortController().signal;
/** Not to be opened: a link, or what would wait for somebody. */
const readFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

export class FolderObjects implements GatewayObjects {
  readonly #root: string;
  readonly #files: DurableFiles = openDurableFiles();

  /** `root` is made when something is first written. */
  constructor(root: string) {
    this.#root = root;
  }

  async create(place: GatewayPlace): Promise<void> {
    await this.#store(place).create(never);
  }

  async receive(
    place: GatewayPlace,
    handle: Handle,
    sizeBytes: number,
    source: AsyncIterable<Uint8Array>,
  ): Promise<"created" | "exists"> {
    const temporary = path.join(this.#incoming, randomBytes(12).toString("hex"));
    const file = await translated(handle, async () => {
      await mkdir(this.#incoming, { recursive: true, mode: 0o700 });
      return new FolderFile(handle, await open(temporary, "wx", 0o600), sizeBytes);
    });
    try {
      for await (const part of source) await file.write(part);
      await file.finish();
      return await translated(handle, async () => await this.#publish(place, handle, temporary));
    } finally {
      await file.close().catch(() => undefined);
      // What can't be removed now goes with the next start.
      await unlink(temporary).catch(() => undefined);
    }
  }

  async open(
    place: GatewayPlace,
    handle: Handle,
    range: ByteRange | undefined,
  ): Promise<StreamedObject | undefined> {
    return await translated(handle, async () => {
      const file = await openIfThere(this.#pathOf(place, handle));
      if (file === undefined) return undefined;
      try {
        const stat = await file.stat();
        if (stat.isFile())
          return { sizeBytes: stat.size, body: bodyOf(file, byteWindow(handle, stat.size, range)) };
      } catch (error) {
        await file.close();
        throw error;
      }
      await file.close();
      return undefined;
    });
  }

  async stat(place: GatewayPlace, handle: Handle): Promise<number | undefined> {
    return await this.#store(place).stat(handle, never);
  }

  async settle(place: GatewayPlace, handle: Handle): Promise<void> {
    await translated(handle, async () => await this.#files.syncFile(this.#pathOf(place, handle)));
  }

  list(place: GatewayPlace, type: FileType, signal: AbortSignal): AsyncIterable<StoredFile> {
    return this.#store(place).list(type, signal);
  }

  async remove(place: GatewayPlace, handle: Handle): Promise<void> {
    await this.#store(place).remove(handle, never);
  }

  /**
   * What the last process left: uploads that broke off go, and the places are named that shall be counted anew, since
   * somebody has made a folder `.incoming/<tenant>_<repository>_<machine>`. To be called before anything is taken in.
   */
  async leftovers(): Promise<readonly GatewayPlace[]> {
    const names = await readdir(this.#incoming).catch((error: unknown) => {
      if (systemErrorName(error) === "ENOENT") return [];
      throw toStoreError(error, { place: this.#incoming });
    });
    const places: GatewayPlace[] = [];
    for (const name of names) {
      const [tenantId = "", repositoryId = "", agentId = "", ...others] = name.split("_");
      if (others.length === 0 && [tenantId, repositoryId, agentId].every(isPlainId))
        places.push({ tenantId, repositoryId, agentId });
      else await this.#drop(name);
    }
    return places;
  }

  /** A place that `leftovers` named has been counted anew. */
  async counted({ tenantId, repositoryId, agentId }: GatewayPlace): Promise<void> {
    await this.#drop([tenantId, repositoryId, agentId].join("_"));
  }

  async #drop(name: string): Promise<void> {
    await translated(undefined, async () => {
      await rm(path.join(this.#incoming, name), { recursive: true, force: true });
    });
  }

  /** Gives an upload its name; makes folders that a copy has left out, but never the place itself. */
  async #publish(
    place: GatewayPlace,
    handle: Handle,
    temporary: string,
  ): Promise<"created" | "exists"> {
    const final = this.#pathOf(place, handle);
    let outcome = await linkTo(temporary, final);
    if (outcome === "no-folder") {
      const root = this.#folder(place);
      if ((await lstatIfThere(root)) === undefined)
        throw new BackstayError("STORE_MISSING", { place: handlePath(handle) });
      await this.create(place);
      outcome = await linkTo(temporary, final);
    }
    if (outcome === "no-folder")
      throw new BackstayError("STORE_MISSING", { place: handlePath(handle) });
    if (outcome === "created") await this.#files.syncDirectory(path.dirname(final));
    return outcome;
  }

  #store(place: GatewayPlace): LocalStore {
    return new LocalStore(this.#folder(place), { files: this.#files });
  }

  #pathOf(place: GatewayPlace, handle: Handle): string {
    return path.join(this.#folder(place), handlePath(handle));
  }

  #folder({ tenantId, repositoryId, agentId }: GatewayPlace): string {
    return path.join(this.#root, ...checkedIds(tenantId, repositoryId, agentId));
  }

  get #incoming(): string {
    return path.join(this.#root, ".incoming");
  }
}

/** A file under a name that nobody looks for. */
class FolderFile {
  readonly #handle: Handle;
  readonly #file: FileHandle;
  readonly #gathered: Buffer;
  #gatheredBytes = 0;
  #isOpen = true;

  constructor(handle: Handle, file: FileHandle, sizeBytes: number) {
    this.#handle = handle;
    this.#file = file;
    this.#gathered = Buffer.allocUnsafeSlow(Math.min(sizeBytes, writeBytesMax));
  }

  async write(part: Uint8Array): Promise<void> {
    if (this.#gatheredBytes + part.length > this.#gathered.length)
      await translated(this.#handle, () => this.#flush());
    if (part.length >= this.#gathered.length) {
      await translated(this.#handle, () => this.#writeAll(part));
      return;
    }
    this.#gathered.set(part, this.#gatheredBytes);
    this.#gatheredBytes += part.length;
  }

  /** All of it is on the disk when it resolves. */
  async finish(): Promise<void> {
    await translated(this.#handle, async () => {
      await this.#flush();
      await this.#file.chmod(fileMode);
      await this.#file.sync();
      await this.close();
    });
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    const bytes = this.#gatheredBytes;
    this.#gatheredBytes = 0;
    await this.#writeAll(this.#gathered.subarray(0, bytes));
  }

  async #writeAll(part: Uint8Array): Promise<void> {
    for (let at = 0; at < part.length; ) {
      const { bytesWritten } = await this.#file.write(part, at, part.length - at);
      if (bytesWritten === 0)
        throw Object.assign(new Error("a write took no bytes"), { code: "EIO" });
      at += bytesWritten;
    }
  }
}

/** Closes the file at its end. */
function bodyOf(file: FileHandle, { offset, length }: ByteRange): Readable {
  if (length > 0)
    return file.createReadStream({
      start: offset,
      end: offset + length - 1,
      highWaterMark: readBytes,
    });
  void file.close();
  return Readable.from([]);
}

/** They become parts of paths. */
function checkedIds(...ids: readonly string[]): readonly string[] {
  if (ids.every(isPlainId)) return ids;
  throw new BackstayError("INTERNAL", { problem: "not an id of a place" });
}

async function linkTo(from: string, to: string): Promise<"created" | "exists" | "no-folder"> {
  try {
    await link(from, to);
    return "created";
  } catch (error) {
    const name = systemErrorName(error);
    if (name === "EEXIST") return "exists";
    if (name === "ENOENT") return "no-folder";
    throw error;
  }
}

async function openIfThere(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, readFlags);
  } catch (error) {
    const name = systemErrorName(error);
    if (name === "ENOENT" || name === "ENOTDIR" || name === "ELOOP" || name === "ENXIO")
      return undefined;
    throw error;
  }
}

async function lstatIfThere(place: string): Promise<unknown> {
  return await lstat(place).catch((error: unknown) => {
    if (systemErrorName(error) === "ENOENT") return undefined;
    throw error;
  });
}

async function translated<T>(handle: Handle | undefined, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw toStoreError(error, handle === undefined ? {} : { file: handlePath(handle) });
  }
}
