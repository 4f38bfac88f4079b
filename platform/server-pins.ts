/** Whether what answers over TLS is the server that was meant: by pins of its key or of an authority above it. */
import { createHash, createPublicKey, type KeyObject, type X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { getCACertificates, type TLSSocket } from "node:tls";

/** Longest chain that is followed. */
const chainMax = 10;

/** `sha256/` and base64url of the SHA-256 of the public key, of either half of a pair. */
export function pinOfKey(key: KeyObject): string {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  const bytes = publicKey.export({ type: "spki", format: "der" });
  return `sha256/${createHash("sha256").update(bytes).digest("base64url")}`;
}

/**
 * Why a peer whose handshake has ended is not believed; undefined if it is. A pinned key of the server itself is enough;
 * one above it must have signed the way down to a certificate that is for `host` and valid now.
 */
export function pinProblem(
  socket: TLSSocket,
  host: string,
  pins: readonly string[],
  nowMs: number,
): string | undefined {
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) return "it shows no certificate";
  let below = leaf;
  for (let depth = 0; depth < chainMax; depth += 1) {
    if (pins.includes(pinOfKey(below.publicKey)))
      return depth === 0 ? undefined : certificateProblem(leaf, host, nowMs);
    const above = below.issuerCertificate;
    if (above === undefined || above.fingerprint256 === below.fingerprint256) break;
    if (!above.ca || !below.checkIssued(above) || !below.verify(above.publicKey)) break;
    below = above;
  }
  return `its key is ${pinOfKey(leaf.publicKey)}, which is not pinned`;
}

/** Authorities of this machine: those that Node brings, and those of the system. */
export function machineAuthorities(): string[] {
  const own = getCACertificates("default");
  try {
    return [...new Set([...own, ...getCACertificates("system")])];
  } catch {
    // A system whose store can't be read has Node's.
    return own;
  }
}

function certificateProblem(
  leaf: X509Certificate,
  host: string,
  nowMs: number,
): string | undefined {
  const isNamed = isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host);
  if (isNamed === undefined) return `its certificate is not for ${host}`;
  if (Date.parse(leaf.validTo) < nowMs) return "its certificate has expired";
  return Date.parse(leaf.validFrom) > nowMs ? "its certificate is not valid yet" : undefined;
}
