/** Notices that the machine's time zone was changed, and makes this process use the new one. */
import { lstatSync, readlinkSync } from "node:fs";

export class TimeZoneWatch {
  readonly #look: () => string;
  #seen: string;

  /** `look` gives a text that differs when the zone does. */
  constructor(look: () => string) {
    this.#look = look;
    this.#seen = look();
  }

  /** True if the zone was changed since the last call, or since the start. */
  hasChanged(): boolean {
    const now = this.#look();
    if (now === this.#seen) return false;
    this.#seen = now;
    // Node reads the zone once; removing TZ, even where it is absent, makes it read again.
    // biome-ignore lint/style/noProcessEnv: nothing is read from the environment; this is how Node is told.
    if (process.env["TZ"] === undefined) delete process.env["TZ"];
    return true;
  }
}

/** A look at the file that Unix systems keep for the zone: some link to it, others copy it. */
export function lookOfFile(path: string): () => string {
  return () => {
    try {
      const { ino, mtimeMs } = lstatSync(path);
      return `${ino} ${mtimeMs} ${linkTarget(path)}`;
    } catch {
      return "";
    }
  };
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
