/** Signatures by keys that no server has: where data goes, by whoever keeps that key offline; licences, by their issuer. */
import { BackstayError } from "../backstay-error.ts";
import { destinationDocument } from "./bundle.ts";
import { type LicenceDocument, licenceDocument } from "./licence.ts";
import { type SigningKey, signDocument } from "./signed-document.ts";

/** The signed form of what a server has waiting. SIGNED_CONTENT for what is no destination. */
export function signDestination(content: unknown, key: SigningKey): string {
  const read = destinationDocument.safeParse(content);
  if (!read.success) throw new BackstayError("SIGNED_CONTENT", { type: "destination" });
  return signDocument("destination", read.data, key);
}

/** A licence as its issuer gives it out. SIGNED_CONTENT for what none can say. */
export function issueLicence(licence: LicenceDocument, key: SigningKey): string {
  const read = licenceDocument.safeParse(licence);
  if (read.success) return signDocument("licence", read.data, key);
  const [issue] = read.error.issues;
  const place = issue?.path.join(".") ?? "";
  throw new BackstayError("SIGNED_CONTENT", {
    type: "licence",
    place,
    problem: issue?.message ?? "",
  });
}
