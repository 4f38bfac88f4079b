/** What the parts of an awkward tree are made with: paths in raw bytes, contents without pattern, actions for the end. */
import { createCipheriv, createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { AwkwardEntries } from "../../platform/linux/awkward-entries.ts";

export type Name = string | Uint8Array;

const slash = Buffer.from("/");

/** One per tree. All calls are synchronous and throw the system's errors. */
export class TreeBuilder {
  readonly root: Buffer;
  readonly entries = new AwkwardEntries();
  /** What this user or file system can't have, in words. */
  readonly leftOut: string[] = [];
  readonly #atEnd: (() => void)[] = [];

  constructor(root: Buffer) {
    this.root = root;
  }

  path(...names: readonly Name[]): Buffer {
    return Buffer.concat([this.root, ...names.flatMap((name) => [slash, Buffer.from(name)])]);
  }

  /** Makes a folder and those above it that are missing, and returns its path. */
  folder(...names: readonly Name[]): Buffer {
    const place = this.path(...names);
    mkdirSync(place, { recursive: true });
    return place;
  }

  /** Makes a file in a folder that exists, and returns its path. */
  file(names: readonly Name[], content: string | Uint8Array = ""): Buffer {
    const place = this.path(...names);
    writeFileSync(place, content);
    return place;
  }

  /** Sets an attribute, or notes that it could not be had here. */
  attribute(place: Buffer, name: Name, value: Uint8Array, what: string): void {
    if (!this.tryAttribute(place, name, value)) this.leftOut.push(what);
  }

  /** False if this file system has no room or no place for such an attribute, or this user may not set it. */
  tryAttribute(place: Buffer, name: Name, value: Uint8Array): boolean {
    try {
      return this.entries.setAttribute(place, name, value);
    } catch (error) {
      if (/: (?:ENOSPC|E2BIG|ERANGE)$/.test(String(error))) return false;
      throw error;
    }
  }

  /** To be done when all entries are there: what else would be changed by making entries, or would forbid to. */
  atEnd(action: () => void): void {
    this.#atEnd.push(action);
  }

  /** Does what was put off, the latest first, so that folders come after what is in them. */
  finish(): void {
    for (const action of this.#atEnd.splice(0).reverse()) action();
  }
}

/** Bytes that look random and are the same for the same seed. */
export function scrambled(seed: string, lengthBytes: number): Buffer {
  const key = createHash("sha256").update(seed).digest();
  const cipher = createCipheriv("aes-256-ctr", key, Buffer.alloc(16));
  return cipher.update(Buffer.alloc(lengthBytes));
}
