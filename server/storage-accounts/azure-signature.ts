/**
 * Shared access signatures of Azure's blob storage, of the version below: for a container, or for a directory of an account
 * with a hierarchical namespace. Pure.
 */
import { createHmac } from "node:crypto";

/** The version whose fields are signed here. */
const version = "2021-12-02";

/** What signs: the account's own key, or one that Entra ID has lent to an identity. */
export type SigningKey =
  | { readonly kind: "account"; readonly key: string }
  | {
      readonly kind: "delegated";
      readonly key: string;
      readonly objectId: string;
      readonly tenantId: string;
      readonly start: string;
      readonly end: string;
      readonly service: string;
      readonly version: string;
    };

export interface SignatureOrder {
  readonly accountName: string;
  readonly container: string;
  /** Undefined: the whole container. */
  readonly directory: string | undefined;
  /** Letters in Azure's order: `racwdxyltmeop`. */
  readonly permissions: string;
  /** Ms since 1970, whole seconds count. */
  readonly startMs: number;
  readonly expiresMs: number;
  /** Plain HTTP is for servers on this machine. */
  readonly withPlainHttp: boolean;
}

/** The query string of the signature, without a question mark. */
export function azureSignature(order: SignatureOrder, key: SigningKey): string {
  const { accountName, container, directory, permissions, withPlainHttp } = order;
  const start = isoSeconds(order.startMs);
  const end = isoSeconds(order.expiresMs);
  const protocol = withPlainHttp ? "https,http" : "https";
  const resource = directory === undefined ? "c" : "d";
  const place = directory === undefined ? "" : `/${directory}`;
  const lent =
    key.kind === "delegated"
      ? [key.objectId, key.tenantId, key.start, key.end, key.service, key.version, "", "", ""]
      : // The name of a policy kept in the container.
        [""];
  const signed = [
    permissions,
    start,
    end,
    `/blob/${accountName}/${container}${place}`,
    ...lent,
    // Addresses.
    "",
    protocol,
    version,
    resource,
    // Snapshot, encryption scope, five headers of answers.
    ...["", "", "", "", "", "", ""],
  ].join("\n");
  const signature = createHmac("sha256", Buffer.from(key.key, "base64"))
    .update(signed)
    .digest("base64");
  return new URLSearchParams({
    sv: version,
    spr: protocol,
    st: start,
    se: end,
    sr: resource,
    ...(directory !== undefined && { sdd: String(directory.split("/").length) }),
    sp: permissions,
    ...(key.kind === "delegated" && {
      skoid: key.objectId,
      sktid: key.tenantId,
      skt: key.start,
      ske: key.end,
      sks: key.service,
      skv: key.version,
    }),
    sig: signature,
  }).toString();
}

/** As both the signature and the query have it: without fractions of seconds. */
export function isoSeconds(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.\d+Z$/, "Z");
}
