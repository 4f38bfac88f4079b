/** A keeper of secrets in memory whose content a test may damage, and which may fail. */

import type { SecretKeeper } from "../../platform/ports/secret-keeper.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";

export class MemoryKeeper implements SecretKeeper {
  readonly protection = "file";
  readonly machineBound = false;
  readonly kept = new Map<string, Uint8Array>();
  /** Secrets that are there and can't be unsealed. */
  readonly unreadable = new Set<string>();
  isFull = false;
  /** Told before each change is made. */
  onWrite: (name: string) => void = () => undefined;

  async names(): Promise<readonly string[]> {
    return [...this.kept.keys()].sort();
  }

  async read(name: string): Promise<Uint8Array> {
    if (this.unreadable.has(name)) throw new BackstayError("SECRET_UNREADABLE", { name });
    const secret = this.kept.get(name);
    if (secret === undefined) throw new BackstayError("SECRET_MISSING", { name });
    return secret;
  }

  async write(name: string, secret: Uint8Array): Promise<void> {
    if (this.isFull) throw new BackstayError("SECRET_PLACE", { problem: "ENOSPC" });
    this.onWrite(name);
    this.kept.set(name, Uint8Array.from(secret));
    this.unreadable.delete(name);
  }

  async remove(name: string): Promise<void> {
    this.onWrite(name);
    if (!this.kept.delete(name)) throw new BackstayError("SECRET_MISSING", { name });
    this.unreadable.delete(name);
  }
}
