/**
 * Sealing by Windows (DPAPI) with a key of the machine. Any account of this machine could open what is sealed so, if it
 * knew the entropy: 32 random bytes in the folder of the secrets, which only administrators and the system may enter.
 * (Sealing for one account would shut out either the service or the administrator at a command line.)
 */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { SecretSealer } from "../node/secret-files.ts";
import type { DurableFiles } from "../ports/durable-files.ts";
import { type SecurityCalls, securityCalls, securityParts } from "./advapi32-security.ts";
import { type DataProtection, dataProtection } from "./crypt32.ts";

export interface DataProtectionSealOptions {
  /** Where the secrets are; it is there when one is sealed. */
  readonly folder: string;
  readonly files: DurableFiles;
  /** Other calls than the system's, for tests. */
  readonly protection?: DataProtection;
  readonly security?: Pick<SecurityCalls, "setFileSecurity">;
}

const entropyName = "entropy";
const entropyBytes = 32;
/** All rights for the system, the administrators and, if it is neither, the owner; none inherited from above. */
const permissions = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
const forAdministrators = `O:BA${permissions}`;
const forOwner = `${permissions}(A;OICI;FA;;;OW)`;

export class DataProtectionSeal implements SecretSealer {
  readonly protection = "dpapi";
  readonly machineBound = true;
  readonly #options: DataProtectionSealOptions;
  readonly #calls: DataProtection;
  #isClosed = false;

  constructor(options: DataProtectionSealOptions) {
    this.#options = options;
    this.#calls = options.protection ?? dataProtection;
  }

  /** Whether Windows seals and opens for this process. */
  worksHere(): boolean {
    try {
      const sample = randomBytes(16);
      const sealed = this.#calls.protect(sample, sample);
      return Buffer.compare(this.#calls.unprotect(sealed, sample), sample) === 0;
    } catch {
      return false;
    }
  }

  async seal(name: string, secret: Uint8Array): Promise<Uint8Array> {
    // Anybody may have made the folder before us: the system lets people create things in its place.
    if (!this.#isClosed) this.#closeFolder();
    this.#isClosed = true;
    const entropy = (await this.#entropy()) ?? (await this.#makeEntropy());
    return this.#calls.protect(secret, entropyOf(entropy, name));
  }

  async open(name: string, sealed: Uint8Array): Promise<Uint8Array> {
    const entropy = await this.#entropy();
    if (entropy === undefined) throw new Error(`the file ${entropyName} beside it is missing`);
    return this.#calls.unprotect(sealed, entropyOf(entropy, name));
  }

  get #file(): string {
    return path.join(this.#options.folder, entropyName);
  }

  async #entropy(): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.#file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  /** Two processes may do this at once: the first file stays. */
  async #makeEntropy(): Promise<Uint8Array> {
    const { signal } = new AbortController();
    await this.#options.files.createFile(this.#file, randomBytes(entropyBytes), 0o600, signal);
    return await readFile(this.#file);
  }

  #closeFolder(): void {
    const { folder, security = securityCalls } = this.#options;
    const { owner, permissions: part, unInherited } = securityParts;
    try {
      security.setFileSecurity(folder, forAdministrators, owner | part | unInherited);
    } catch {
      // Not an administrator: then the folder is this user's own.
      security.setFileSecurity(folder, forOwner, part | unInherited);
    }
  }
}

function entropyOf(entropy: Uint8Array, name: string): Uint8Array {
  return Buffer.concat([entropy, Buffer.from(`backstay-${name}`)]);
}
