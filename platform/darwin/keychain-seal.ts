/**
 * Sealing with a key that lies in the System keychain, which only this machine's own key opens: AES-256-GCM. The key is made
 * at the first secret; it travels through pipes only. Root only.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { SecretSealer } from "../node/secret-files.ts";
import { type DarwinCommands, darwinCommands } from "./command-output.ts";

const keychain = "/Library/Keychains/System.keychain";
const item = ["-a", "backstay", "-s", "com.backstay.agent.secrets"] as const;
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const algorithm = "aes-256-gcm";

export class KeychainSeal implements SecretSealer {
  readonly protection = "keychain";
  readonly machineBound = true;
  readonly #commands: DarwinCommands;

  /** `commands` are others than the system's, for tests. */
  constructor(commands: DarwinCommands = darwinCommands) {
    this.#commands = commands;
  }

  /** Whether the keychain gives the key, or takes one. */
  async worksHere(): Promise<boolean> {
    try {
      await this.#key();
      return true;
    } catch {
      return false;
    }
  }

  async seal(name: string, secret: Uint8Array): Promise<Uint8Array> {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, await this.#key(), nonce);
    cipher.setAAD(Buffer.from(name));
    const sealed = Buffer.concat([cipher.update(secret), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
  }

  async open(name: string, sealed: Uint8Array): Promise<Uint8Array> {
    const key = await this.#find();
    if (key === undefined) throw new Error("the keychain does not give its key");
    const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, nonceBytes));
    decipher.setAAD(Buffer.from(name));
    decipher.setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes));
    try {
      const opened = decipher.update(sealed.subarray(nonceBytes + tagBytes));
      return Buffer.concat([opened, decipher.final()]);
    } catch {
      throw new Error("it does not open with the key of this machine's keychain");
    }
  }

  /** The key that is there, or a new one. Of two processes that make one at once the first wins. */
  async #key(): Promise<Uint8Array> {
    const found = await this.#find();
    if (found !== undefined) return found;
    const text = randomBytes(keyBytes).toString("base64");
    const command = ["add-generic-password", ...item, "-w", text, keychain].join(" ");
    // As a line of its input: arguments can be seen by everybody. Its exit code says nothing of the line.
    await this.#commands("security", ["-i"], `${command}\n`);
    const made = await this.#find();
    if (made === undefined) throw new Error("the System keychain takes no key");
    return made;
  }

  async #find(): Promise<Uint8Array | undefined> {
    const args = ["find-generic-password", ...item, "-w", keychain];
    const { exitCode, stdout } = await this.#commands("security", args);
    const key = Buffer.from(stdout.trim(), "base64");
    return exitCode === 0 && key.length === keyBytes ? key : undefined;
  }
}
