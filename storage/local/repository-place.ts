/**
 * The folders of a repository on a local file system: their permission bits, making them, and noticing
 * that the whole place is gone (a disk that is no longer mounted leaves an empty folder behind).
 *
 * `config` is the marker of the place: where it is not, no folder is made but by `create`.
 */
import { dirname, join } from "node:path";
import type { FileCalls } from "../../platform/node/file-calls.ts";
import type { DurableFiles } from "../../platform/ports/durable-files.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { fileTypes, type Handle } from "../object-store.ts";
import { systemErrorName } from "./local-errors.ts";

/** Permission bits of what is made in the place. */
export interface PlaceModes {
  readonly folder: number;
  readonly file: number;
}

const privateModes: PlaceModes = { folder: 0o700, file: 0o400 };
const groupModes: PlaceModes = { folder: 0o770, file: 0o440 };

export class RepositoryPlace {
  readonly #root: string;
  readonly #calls: FileCalls;
  readonly #files: DurableFiles;
  #wasSeen = false;

  constructor(root: string, calls: FileCalls, files: DurableFiles) {
    this.#root = root;
    this.#calls = calls;
    this.#files = files;
  }

  /** Remembers that the repository was here, so that its absence is an error from now on. */
  noteSeen(): void {
    this.#wasSeen = true;
  }

  /** The config file was removed on purpose: its absence says nothing any more. */
  noteRemoved(): void {
    this.#wasSeen = false;
  }

  /** Rejects with STORE_MISSING if the repository was here before and is not any more. */
  async assertStillHere(): Promise<void> {
    if (this.#wasSeen && !(await this.#hasConfig())) throw this.#missing();
  }

  /** As the repository is readable by the group of its config file, or by its owner only. */
  async modes(): Promise<PlaceModes> {
    const config = await this.#statConfig();
    if (config === undefined) return privateModes;
    this.#wasSeen = true;
    return (config.mode & 0o040) === 0 ? privateModes : groupModes;
  }

  /** Makes all folders, the place itself included. */
  async create(signal: AbortSignal): Promise<void> {
    const { folder: mode } = await this.modes();
    const first = await this.#calls.mkdir(this.#root, { recursive: true, mode });
    const types = fileTypes.filter((type) => type !== "config");
    await this.#makeFolders(types, mode);
    signal.throwIfAborted();
    const prefixes = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));
    await this.#makeFolders(
      prefixes.map((prefix) => join("data", prefix)),
      mode,
    );
    await this.#files.syncDirectory(join(this.#root, "data"));
    await this.#files.syncDirectory(this.#root);
    if (first === undefined) return;
    // Every folder on the way that was made here is a new name in the one above it.
    const above = dirname(first);
    for (let path = this.#root; path !== above && path !== dirname(path); path = dirname(path))
      await this.#files.syncDirectory(dirname(path));
  }

  /** Makes the folder for a handle's file where it is missing, as in copies that left out empty folders. */
  async makeFolderFor(handle: Handle): Promise<void> {
    if (!(await this.#hasConfig())) throw this.#missing();
    const { folder: mode } = await this.modes();
    const typeFolder = join(this.#root, handle.type);
    await this.#makeFolder(typeFolder, mode);
    if (handle.type === "data") {
      await this.#makeFolder(join(typeFolder, handle.name.slice(0, 2)), mode);
      await this.#files.syncDirectory(typeFolder);
    }
    await this.#files.syncDirectory(this.#root);
  }

  async #makeFolders(names: readonly string[], mode: number): Promise<void> {
    const made = names.map((name) => this.#makeFolder(join(this.#root, name), mode));
    // Nothing goes on behind the caller's back when one fails.
    await Promise.allSettled(made);
    await Promise.all(made);
  }

  async #makeFolder(path: string, mode: number): Promise<void> {
    try {
      await this.#calls.mkdir(path, { mode });
    } catch (error) {
      if (systemErrorName(error) !== "EEXIST") throw error;
    }
  }

  async #hasConfig(): Promise<boolean> {
    return (await this.#statConfig()) !== undefined;
  }

  async #statConfig(): Promise<{ readonly mode: number } | undefined> {
    try {
      return await this.#calls.stat(join(this.#root, "config"));
    } catch (error) {
      const name = systemErrorName(error);
      if (name === "ENOENT" || name === "ENOTDIR") return undefined;
      throw error;
    }
  }

  #missing(): BackstayError {
    return new BackstayError("STORE_MISSING", { place: this.#root });
  }
}
