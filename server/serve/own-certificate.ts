/**
 * The certificate that the server makes for itself: signed by its own key (EC P-256), for all its names and addresses.
 * Agents trust the key, not the certificate: a new one of the same key changes nothing for them.
 */
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { isIP, isIPv4 } from "node:net";
import {
  bitString,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  tagged,
  text,
  time,
  truth,
} from "./distinguished-encoding.ts";

const dayMs = 86_400_000;
/** Browsers take none that are valid for longer. */
const validMs = 397 * dayMs;
/** A machine whose clock is a little late takes it already. */
const earlierMs = dayMs;
/** From so long before its end on a new one is made. */
const renewalMs = 60 * dayMs;

const subjectName = "backstay-server";
const ecdsaWithSha256 = sequence(objectIdentifier("1.2.840.10045.4.3.2"));

/** A key for certificates, as PEM. */
export function makeCertificateKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }) as string;
}

/** A certificate of `key` for host names and addresses, as PEM. */
export function makeCertificate(key: KeyObject, names: readonly string[], nowMs: number): string {
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  const name = sequence(set(sequence(objectIdentifier("2.5.4.3"), text(subjectName))));
  const serial = randomBytes(16);
  serial[0] = (serial[0] ?? 0) | 1;
  const content = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(serial),
    ecdsaWithSha256,
    name,
    sequence(time(nowMs - earlierMs), time(nowMs - earlierMs + validMs)),
    name,
    publicKey,
    tagged(0xa3, sequence(...extensions(publicKey, names))),
  );
  const signature = sign("sha256", content, key);
  const bytes = sequence(content, ecdsaWithSha256, bitString(signature));
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** True if the certificate is of this key, for all these names, and far from its end. */
export function isStillGood(
  certificate: string,
  key: KeyObject,
  names: readonly string[],
  nowMs: number,
): boolean {
  try {
    const parsed = new X509Certificate(certificate);
    return (
      parsed.checkPrivateKey(key) &&
      parsed.validFromDate.getTime() <= nowMs &&
      parsed.validToDate.getTime() - nowMs > renewalMs &&
      names.every((name) =>
        isIP(name) === 0
          ? parsed.checkHost(name) !== undefined
          : parsed.checkIP(name) !== undefined,
      )
    );
  } catch {
    return false;
  }
}

function extensions(publicKey: Uint8Array, names: readonly string[]): Uint8Array[] {
  const keyId = createHash("sha1").update(publicKey).digest();
  const alternatives = names.map((name) =>
    isIP(name) === 0 ? tagged(0x82, Buffer.from(name)) : tagged(0x87, addressBytes(name)),
  );
  return [
    // No authority: it vouches for itself only.
    extension("2.5.29.19", sequence(), true),
    // Digital signatures.
    extension("2.5.29.15", bitString(Buffer.from([0x80]), 7), true),
    // For servers.
    extension("2.5.29.37", sequence(objectIdentifier("1.3.6.1.5.5.7.3.1"))),
    extension("2.5.29.17", sequence(...alternatives)),
    extension("2.5.29.14", octetString(keyId)),
  ];
}

function extension(id: string, content: Uint8Array, isCritical = false): Uint8Array {
  const critical = isCritical ? [truth()] : [];
  return sequence(objectIdentifier(id), ...critical, octetString(content));
}

function addressBytes(address: string): Uint8Array {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  // The URL parser writes an address of version 6 in its shortest form, with at most one gap.
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [before = "", after] = short.split("::");
  const words = (half: string): string[] => (half === "" ? [] : half.split(":"));
  const [head, tail] = [words(before), words(after ?? "")];
  const gap = Array.from({ length: 8 - head.length - tail.length }, () => "0");
  return Buffer.from(
    [...head, ...gap, ...tail].flatMap((word) => {
      const number = Number.parseInt(word, 16);
      return [Math.floor(number / 256), number % 256];
    }),
  );
}
