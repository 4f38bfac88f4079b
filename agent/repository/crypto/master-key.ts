/** The key that seals everything in a repository but the key files (restic format, "key hierarchy"). */
import { hkdfSync, randomBytes } from "node:crypto";
import type { SealKey } from "../../../platform/ports/codec.ts";

export type MasterKey = SealKey;

/** A new random master key. */
export function generateMasterKey(): MasterKey {
  return { encrypt: randomBytes(32), macK: randomBytes(16), macR: randomBytes(16) };
}

/** The 64 bytes `encrypt ‖ macK ‖ macR` that scrypt yields, and that workers get. */
export function masterKeyFromBytes(bytes: Uint8Array): MasterKey {
  return {
    encrypt: bytes.slice(0, 32),
    macK: bytes.slice(32, 48),
    macR: bytes.slice(48, 64),
  };
}

export function masterKeyToBytes(key: MasterKey): Uint8Array {
  return new Uint8Array(Buffer.concat([key.encrypt, key.macK, key.macR]));
}

/** The JSON text that a key file seals. */
export function encodeMasterKey(key: MasterKey): Uint8Array {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  const json = {
    mac: { k: base64(key.macK), r: base64(key.macR) },
    encrypt: base64(key.encrypt),
  };
  return new TextEncoder().encode(JSON.stringify(json));
}

/** The master key in a key file's opened data, or undefined if it is no such JSON or a part is all zero. */
export function decodeMasterKey(bytes: Uint8Array): MasterKey | undefined {
  let json: { mac?: { k?: unknown; r?: unknown }; encrypt?: unknown };
  try {
    json = JSON.parse(Buffer.from(bytes).toString("utf8")) as typeof json;
  } catch {
    return undefined;
  }
  const encrypt = keyPart(json?.encrypt, 32);
  const macK = keyPart(json?.mac?.k, 16);
  const macR = keyPart(json?.mac?.r, 16);
  if (encrypt === undefined || macK === undefined || macR === undefined) return undefined;
  return { encrypt, macK, macR };
}

function keyPart(value: unknown, length: number): Uint8Array | undefined {
  if (typeof value !== "string") return undefined;
  const bytes = new Uint8Array(Buffer.from(value, "base64"));
  return bytes.length === length && bytes.some((byte) => byte !== 0) ? bytes : undefined;
}

/** Derives a secret for a purpose of our own; knowing it tells nothing about the key. */
export function deriveSecret(key: MasterKey, purpose: string, length: number): Uint8Array {
  const info = new TextEncoder().encode(`backstay ${purpose}`);
  return new Uint8Array(hkdfSync("sha256", masterKeyToBytes(key), new Uint8Array(0), info, length));
}
