/** The two parts of a repository's address: of which kind the store is, and where it is. */

export interface StoreAddress {
  /** `local` for a path; otherwise the word before the colon, as it is written. */
  readonly scheme: string;
  /** For `local` a path, which may be relative; may be empty. For others it may hold a password. */
  readonly place: string;
}

/** The kinds that `openStore` opens. */
export const storeSchemes: readonly string[] = ["local", "rest", "s3", "azure", "gs"];

/** What is a path whatever colons it holds: absolute, beginning with a dot, or with a drive's letter. */
const plainPath = /^(?:[/\\]|\.{1,2}(?:[/\\]|$)|[a-z]:)/i;
const schemeOfAddress = /^([a-z][a-z0-9+.-]+):/i;

/** Takes an address apart: a path, or a scheme, a colon, and what the scheme understands. */
export function storeAddress(address: string): StoreAddress {
  const scheme = plainPath.test(address) ? undefined : schemeOfAddress.exec(address)?.[1];
  if (scheme === undefined) return { scheme: "local", place: address };
  return { scheme, place: address.slice(scheme.length + 1) };
}
