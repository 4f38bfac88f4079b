/** The signed statements of where the data of a repository goes: made here, signed here or by the holder of an offline key. */
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { type DestinationDocument, destinationDocument } from "../../protocol/control/bundle.ts";
import type { RepositoryRoute } from "../../protocol/control/repository-route.ts";
import {
  type KnownKey,
  signedHeader,
  verifyDocument,
} from "../../protocol/control/signed-document.ts";
import type { ServerSettings } from "../ground/server-ground.ts";

/** Below the addresses of this server, where machines store. */
export const gatewayPath = "/gateway";

/** The ways as machines take them: this server's own gateway is one at each of its addresses. */
export function routesForMachines(
  routes: readonly RepositoryRoute[],
  settings: Pick<ServerSettings, "publicUrls" | "pins">,
): DestinationDocument["routes"] {
  return routes.flatMap((route): DestinationDocument["routes"] => {
    if (route.kind === "direct") {
      const { issuer, ...rest } = route;
      // Not even the name of the server's own account leaves it.
      return [issuer === undefined ? rest : { kind: "direct", url: route.url, issued: true }];
    }
    const { kind, url, pins } = route;
    if (url !== undefined) return [{ kind, url, pins: pins ?? [] }];
    return settings.publicUrls.map((each) => ({
      kind,
      url: `${each}${gatewayPath}`,
      pins: [...(pins ?? settings.pins)],
    }));
  });
}

/** True if both send data to the same places under the same name: a signature on one is as good as one on the other. */
export function isSameDestination(a: DestinationDocument, b: DestinationDocument): boolean {
  const meaning = ({ tenantId, repositoryId, name, routes }: DestinationDocument): string =>
    JSON.stringify(
      destinationDocument.parse({
        ...a,
        tenantId,
        repositoryId,
        name,
        routes,
        epoch: 1,
        issuedMs: 0,
      }),
    );
  return meaning(a) === meaning(b);
}

/** The content of a document that this server has kept, and the key that signed it. */
export function keptDestination(jws: string, keys: readonly KnownKey[]): DestinationDocument {
  return verifyDocument(jws, { type: "destination", schema: destinationDocument, keys });
}

/**
 * A signature made elsewhere for what waits. SIGNED_… if it is no signature by an active destination key, RESOURCE_INVALID
 * if it was made for something else than what waits.
 */
export function requireSignatureOf(
  jws: string,
  waiting: DestinationDocument,
  keys: readonly KnownKey[],
): void {
  const signed = keptDestination(jws, keys);
  if (!isSameDestination(signed, waiting) || signed.epoch !== waiting.epoch)
    throw new BackstayError("RESOURCE_INVALID", {
      field: "signature",
      problem: "it was made for something else than what waits",
    });
}

/** True if a kept document is signed by one of the keys. */
export function isSignedBy(jws: string, keys: readonly KnownKey[]): boolean {
  try {
    const { kid } = signedHeader(jws);
    return keys.some(({ id }) => id === kid);
  } catch (error) {
    if (isBackstayError(error)) return false;
    throw error;
  }
}
