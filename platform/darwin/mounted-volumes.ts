/** The volumes that a Mac has mounted, asked for so cheaply that it can be done every few seconds. */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import type { MountedFileSystem } from "../ports/removable-media.ts";

const volumesFolder = "/Volumes";
/** Mounts elsewhere are noticed after so many looks. */
const looksBetween = 30;

export class MountedVolumes {
  readonly #list: () => Promise<readonly MountedFileSystem[]>;
  readonly #folder: string;
  #folderText: string | undefined;
  #looks = 0;
  #known: readonly MountedFileSystem[] = [];

  /** `list` asks the system, which takes a while. `folder` is another one for tests. */
  constructor(list: () => Promise<readonly MountedFileSystem[]>, folder: string = volumesFolder) {
    this.#list = list;
    this.#folder = folder;
  }

  async list(): Promise<readonly MountedFileSystem[]> {
    const text = await devicesIn(this.#folder);
    this.#looks += 1;
    if (text === this.#folderText && this.#looks % looksBetween !== 0) return this.#known;
    this.#known = await this.#list();
    this.#folderText = text;
    return this.#known;
  }
}

/** A text that differs when something is mounted on, or unmounted from, an entry of the folder. */
async function devicesIn(folder: string): Promise<string> {
  const names = await readdir(folder).catch(() => []);
  const entries = await Promise.all(
    names.map(async (name) => {
      const device = (await stat(path.join(folder, name)).catch(() => undefined))?.dev;
      return `${name} ${device}`;
    }),
  );
  return entries.sort().join("\n");
}
