/**
 * The files of the gateway in a folder: `<tenant>/<repository>/<machine>/` in restic's default layout each, so that restic
 * reads them without us. What is on its way in lies in `.incoming/`, on the same file system, in a folder for each machine
 * that also tells that something was about to change there.
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, link, lstat, mkdir, open, readdir, rm, unlink } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { openDurableFiles } from "../../platform/open-durable-files.ts";
import type { DurableFiles } from "../../platform/ports/durable-files.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { systemErrorName, toStoreError } from "../../storage/local/local-errors.ts";
import { LocalStore } from "../../storage/local/local-store.ts";
import {
  type ByteRange,
  type FileType,
  fileTypes,
  type Handle,
  handlePath,
  type StoredFile,
} from "../../storage/object-store.ts";
import type {
  GatewayObjects,
  GatewayPlace,
  IncomingFile,
  OutgoingFile,
  Usage,
} from "./gateway-objects.ts";
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

  async receive(place: GatewayPlace, handle: Handle, sizeBytes: number): Promise<IncomingFile> {
    const temporary = path.join(this.#incoming(place), randomBytes(12).toString("hex"));
    return await translated(handle, async () => {
      const file = await open(temporary, "wx", 0o600);
      const publish = async (): Promise<"created" | "exists"> =>
        await this.#publish(place, handle, temporary);
      return new FolderFile({ handle, file, temporary, publish }, sizeBytes);
    });
  }

  async open(place: GatewayPlace, handle: Handle): Promise<OutgoingFile | undefined> {
    return await translated(handle, async () => {
      const file = await openIfThere(this.#pathOf(place, handle));
      if (file === undefined) return undefined;
      const stat = await file.stat().catch(async (error: unknown) => {
        await file.close();
        throw error;
      });
      if (stat.isFile()) return new OpenedFile(file, stat.size);
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

  async remove(place: GatewayPlace, handle: Handle): Promise<number | undefined> {
    const sizeBytes = await this.stat(place, handle);
    if (sizeBytes === undefined) return undefined;
    try {
      await translated(handle, async () => await unlink(this.#pathOf(place, handle)));
    } catch (error) {
      // Somebody else was quicker, and counts it.
      if (error instanceof BackstayError && error.code === "STORE_NOT_FOUND") return undefined;
      throw error;
    }
    return sizeBytes;
  }

  async count(place: GatewayPlace, signal: AbortSignal): Promise<Usage> {
    const configBytes = await this.stat(place, { type: "config", name: "" });
    let bytes = configBytes ?? 0;
    let objects = configBytes === undefined ? 0 : 1;
    for (const type of fileTypes)
      for await (const { size } of this.list(place, type, signal)) {
        bytes += size;
        objects += 1;
      }
    return { bytes, objects };
  }

  async noteChanging(place: GatewayPlace): Promise<void> {
    await translated(undefined, async () => {
      const note = this.#incoming(place);
      await mkdir(note, { recursive: true, mode: 0o700 });
      await this.#files.syncDirectory(path.dirname(note));
      await this.#files.syncDirectory(this.#root);
    });
  }

  async noteSettled(place: GatewayPlace): Promise<void> {
    await translated(undefined, async () => {
      await rm(this.#incoming(place), { recursive: true, force: true });
    });
  }

  async unsettled(): Promise<readonly GatewayPlace[]> {
    const folder = path.join(this.#root, ".incoming");
    const names = await readdir(folder).catch((error: unknown) => {
      if (systemErrorName(error) === "ENOENT") return [];
      throw toStoreError(error, { place: folder });
    });
    return names.flatMap((name) => {
      const [tenantId, repositoryId, agentId, ...others] = name.split("_");
      const ids = [tenantId, repositoryId, agentId, ...others];
      if (ids.length !== 3 || !ids.every((id) => id !== undefined && isPlainId(id))) return [];
      return [{ tenantId, repositoryId, agentId }];
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

  #incoming({ tenantId, repositoryId, agentId }: GatewayPlace): string {
    const name = checkedIds(tenantId, repositoryId, agentId).join("_");
    return path.join(this.#root, ".incoming", name);
  }
}

interface FolderFileParts {
  readonly handle: Handle;
  readonly file: FileHandle;
  readonly temporary: string;
  readonly publish: () => Promise<"created" | "exists">;
}

/** A file under a name that nobody looks for. */
class FolderFile implements IncomingFile {
  readonly #parts: FolderFileParts;
  readonly #gathered: Buffer;
  #gatheredBytes = 0;
  #isOpen = true;

  constructor(parts: FolderFileParts, sizeBytes: number) {
    this.#parts = parts;
    this.#gathered = Buffer.allocUnsafeSlow(Math.min(sizeBytes, writeBytesMax));
  }

  async write(part: Uint8Array): Promise<void> {
    const { handle } = this.#parts;
    if (this.#gatheredBytes + part.length > this.#gathered.length)
      await translated(handle, () => this.#flush());
    if (part.length >= this.#gathered.length) {
      await translated(handle, () => this.#writeAll(part));
      return;
    }
    this.#gathered.set(part, this.#gatheredBytes);
    this.#gatheredBytes += part.length;
  }

  async publish(): Promise<"created" | "exists"> {
    const { handle, file, publish } = this.#parts;
    return await translated(handle, async () => {
      await this.#flush();
      await file.chmod(fileMode);
      await file.sync();
      await this.#close();
      return await publish();
    });
  }

  async discard(): Promise<void> {
    await this.#close().catch(() => undefined);
    // What can't be removed now goes with the folder.
    await unlink(this.#parts.temporary).catch(() => undefined);
  }

  async #flush(): Promise<void> {
    const bytes = this.#gatheredBytes;
    this.#gatheredBytes = 0;
    await this.#writeAll(this.#gathered.subarray(0, bytes));
  }

  async #writeAll(part: Uint8Array): Promise<void> {
    for (let at = 0; at < part.length; ) {
      const { bytesWritten } = await this.#parts.file.write(part, at, part.length - at);
      if (bytesWritten === 0)
        throw Object.assign(new Error("a write took no bytes"), { code: "EIO" });
      at += bytesWritten;
    }
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#parts.file.close();
  }
}

class OpenedFile implements OutgoingFile {
  readonly sizeBytes: number;
  readonly #file: FileHandle;

  constructor(file: FileHandle, sizeBytes: number) {
    this.#file = file;
    this.sizeBytes = sizeBytes;
  }

  read(range: ByteRange | undefined): Readable {
    const { offset, length } = range ?? { offset: 0, length: this.sizeBytes };
    if (length === 0) {
      void this.close();
      return Readable.from([]);
    }
    return this.#file.createReadStream({
      start: offset,
      end: offset + length - 1,
      highWaterMark: readBytes,
    });
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
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
