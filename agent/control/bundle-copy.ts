/**
 * The copy of the newest bundle beside the machine's identity: small, written rarely, and not in the database. With it a
 * machine whose database is lost goes on backing up, and one whose database is from yesterday takes nothing older.
 */
import { readFile, unlink } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import type { DurableFiles } from "../../platform/ports/durable-files.ts";
import { signedDocument } from "../../protocol/control/bundle.ts";
import { type BundleFloors, bundleFloors } from "./bundle-floors.ts";

const copyFile = z.object({ version: z.literal(1), floors: bundleFloors, bundle: signedDocument });
const fileName = "bundle.json";

export interface CopiedBundle {
  readonly jws: string;
  readonly floors: BundleFloors;
}

export class BundleCopy {
  readonly #files: DurableFiles;
  readonly #file: string;

  /** In the folder of the identity, which exists and is the agent's user's alone. */
  constructor(files: DurableFiles, folder: string) {
    this.#files = files;
    this.#file = path.join(folder, fileName);
  }

  /** Undefined if there is none, or none that can be read: then the database counts alone. */
  async read(): Promise<CopiedBundle | undefined> {
    try {
      const read = copyFile.safeParse(JSON.parse(await readFile(this.#file, "utf8")) as unknown);
      return read.success ? { jws: read.data.bundle, floors: read.data.floors } : undefined;
    } catch {
      return undefined;
    }
  }

  /** Durable when it resolves. Rejects with the system's error if the disk does not take it. */
  async write({ jws, floors }: CopiedBundle, signal: AbortSignal): Promise<void> {
    const copy: z.input<typeof copyFile> = { version: 1, floors, bundle: jws };
    await this.#files.replaceFile(this.#file, Buffer.from(JSON.stringify(copy)), 0o600, signal);
  }

  /** Harmless if there is none. */
  async remove(): Promise<void> {
    try {
      await unlink(this.#file);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
      throw error;
    }
    await this.#files.syncDirectory(path.dirname(this.#file));
  }
}
