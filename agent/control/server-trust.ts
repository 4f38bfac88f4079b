/** Whether what answers at an address is the server: by pins of its keys, or by authorities that the machine trusts. */
import { createHash, type X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { getCACertificates, type TLSSocket } from "node:tls";

export interface ServerTrust {
  /** `sha256/…` of the server's certificate or of one above it; empty: authorities decide. */
  readonly pins: readonly string[];
  /** More authorities than the machine has, PEM. */
  readonly authorities?: string | undefined;
}

/** Longest chain that is followed. */
const chainMax = 10;

/** Authorities that Node brings, those of NODE_EXTRA_CA_CERTS, of the system, and of a private authority. */
export function authoritiesOf({ authorities }: ServerTrust): string[] {
  const own = authorities === undefined ? [] : [authorities];
  return [...new Set([...getCACertificates("default"), ...systemAuthorities(), ...own])];
}

function systemAuthorities(): string[] {
  try {
    return getCACertificates("system");
  } catch {
    // A system whose store can't be read has Node's.
    return [];
  }
}

/** Why the peer isn't believed; undefined if it is. To be asked when the handshake has ended, before anything is sent. */
export function distrustOf(
  socket: TLSSocket,
  host: string,
  { pins }: ServerTrust,
  nowMs: number,
): string | undefined {
  if (pins.length === 0)
    return socket.authorized ? undefined : (reasonOf(socket.authorizationError) ?? "not trusted");
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) return "it shows no certificate";
  return pinProblem(leaf, host, new Set(pins), nowMs);
}

/** A pinned certificate of the server itself is enough; one above it must have signed the way down to it. */
function pinProblem(
  leaf: X509Certificate,
  host: string,
  pins: ReadonlySet<string>,
  nowMs: number,
): string | undefined {
  if (pins.has(pinOf(leaf))) return undefined;
  let below = leaf;
  for (let depth = 0; depth < chainMax; depth += 1) {
    const above = below.issuerCertificate;
    if (above === undefined || above.fingerprint256 === below.fingerprint256) break;
    if (!above.ca || !below.checkIssued(above) || !below.verify(above.publicKey)) break;
    if (pins.has(pinOf(above))) return leafProblem(leaf, host, nowMs);
    below = above;
  }
  return `its key is ${pinOf(leaf)}, which is not pinned`;
}

function leafProblem(leaf: X509Certificate, host: string, nowMs: number): string | undefined {
  const isNamed = isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host);
  if (isNamed === undefined) return `its certificate is not for ${host}`;
  if (Date.parse(leaf.validTo) < nowMs) return "its certificate has expired";
  return Date.parse(leaf.validFrom) > nowMs ? "its certificate is not valid yet" : undefined;
}

/** `sha256/` and base64url of the SHA-256 of its public key. */
function pinOf(certificate: X509Certificate): string {
  const key = certificate.publicKey.export({ type: "spki", format: "der" });
  return `sha256/${createHash("sha256").update(key).digest("base64url")}`;
}

function reasonOf(error: unknown): string | undefined {
  if (error instanceof Error) return error.message;
  return typeof error === "string" ? error : undefined;
}
