/** The name of an identity key. */
import { createHash } from "node:crypto";

/** Of a public Ed25519 key in its raw form (curve-keys.ts): its JWK thumbprint (RFC 7638), SHA-256, 43 characters base64url. */
export function keyThumbprint(raw: string): string {
  const jwk = `{"crv":"Ed25519","kty":"OKP","x":"${raw}"}`;
  return createHash("sha256").update(jwk).digest("base64url");
}
