/**
 * What the server seals to read it again itself: AES-256-GCM by a key derived of the master key. Each sealed text is
 * bound to what it is for, so that one row's secret is worth nothing in another row.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Vault } from "./server-ground.ts";

export const masterKeyBytes = 32;

/** Of the sealed text; a later form gets another. */
const formMark = "v1.";
const nonceBytes = 12;
const tagBytes = 16;

/** A vault of the master key, which has 32 bytes. */
export function openVault(masterKey: Uint8Array): Vault {
  const sealingKey = derived(masterKey, "vault sealing");
  return {
    seal(secret: Uint8Array, context: string): string {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", sealingKey, nonce);
      cipher.setAAD(Buffer.from(context));
      const parts = [nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()];
      return formMark + Buffer.concat(parts).toString("base64url");
    },

    open(sealed: string, context: string): Uint8Array {
      const bytes = Buffer.from(sealed.slice(formMark.length), "base64url");
      if (!sealed.startsWith(formMark) || bytes.length < nonceBytes + tagBytes)
        throw new BackstayError("VAULT_UNREADABLE", { context });
      const cipher = createDecipheriv("aes-256-gcm", sealingKey, bytes.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      });
      cipher.setAAD(Buffer.from(context));
      cipher.setAuthTag(bytes.subarray(-tagBytes));
      try {
        const secret = cipher.update(bytes.subarray(nonceBytes, -tagBytes));
        return Buffer.concat([secret, cipher.final()]);
      } catch (error) {
        throw new BackstayError("VAULT_UNREADABLE", { context }, error);
      }
    },

    derive: (purpose) => derived(masterKey, `purpose ${purpose}`),
  };
}

function derived(masterKey: Uint8Array, info: string): Uint8Array {
  return new Uint8Array(
    hkdfSync("sha256", masterKey, new Uint8Array(), `backstay ${info}`, masterKeyBytes),
  );
}
