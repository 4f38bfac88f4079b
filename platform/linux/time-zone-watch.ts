/** Notices that the machine's time zone was changed, and makes this process use the new one. */
import { lstatSync, readlinkSync } from "node:fs";

export class TimeZoneWatch {
  readonly #path: string;
  #seen: string;

  /** `path` is another file for tests. */
  constructor(path: string = "/etc/localtime") {
    this.#path = path;
    this.#seen = look(path);
  }

  /** True if the zone was changed since the last call, or since the start. */
  hasChanged(): boolean {
    const now = look(this.#path);
    if (now === this.#seen) return false;
    this.#seen = now;
    // Node reads the zone once; removing TZ, even where it is absent, makes it read again.
    // biome-ignore lint/style/noProcessEnv: nothing is read from the environment; this is how Node is told.
    if (process.env["TZ"] === undefined) delete process.env["TZ"];
    return true;
  }
}

/** Some systems link to the zone's file, others copy it. */
function look(path: string): string {
  try {
    const { ino, mtimeMs } = lstatSync(path);
    return `${ino} ${mtimeMs} ${linkTarget(path)}`;
  } catch {
    return "";
  }
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
