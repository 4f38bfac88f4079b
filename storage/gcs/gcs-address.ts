/** A `gs:` address and its settings, taken apart: which bucket, below which prefix, at which endpoint, and who we are there. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { type PrefixedPlace, prefixedPlace } from "../prefixed-place.ts";

/** As `OpenStoreOptions.environment`. */
export type GcsEnvironment = Readonly<Record<string, string | undefined>>;

export interface GcsPlace extends Omit<PrefixedPlace, "container"> {
  readonly bucket: string;
}

export interface GcsEndpoint {
  /** `https://storage.googleapis.com`. */
  readonly origin: string;
  /** An emulator takes requests without an account. */
  readonly isEmulator: boolean;
}

/** Who we are: by a token, by a credential document, by what a file holds, or by what the cloud machine itself is. */
export type GcsProof =
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "document"; readonly text: string }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "machine" }
  | { readonly kind: "none" };

const bucketForm = /^(?=.{3,222}$)[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/;
const endpointUsual = "https://storage.googleapis.com";

/** `place` is what follows `gs:`: `bucket:/prefix`. USAGE if it is none. */
export function gcsPlace(place: string): GcsPlace {
  const { container: bucket, ...where } = prefixedPlace("gs", "bucket", place);
  if (!bucketForm.test(bucket))
    throw usage("gs: a bucket's name has 3 to 63 of a-z, 0-9, hyphens, dots and underscores");
  return { bucket, ...where };
}

/** Where the bucket is asked for. USAGE if a setting is no endpoint. */
export function gcsEndpoint(environment: GcsEnvironment): GcsEndpoint {
  const emulator = environment["STORAGE_EMULATOR_HOST"] ?? "";
  if (emulator !== "") {
    const url = emulator.includes("://") ? emulator : `http://${emulator}`;
    return { origin: originOf("STORAGE_EMULATOR_HOST", url), isEmulator: true };
  }
  const own = environment["BACKSTAY_GOOGLE_ENDPOINT"] ?? "";
  if (own === "") return { origin: endpointUsual, isEmulator: false };
  return { origin: originOf("BACKSTAY_GOOGLE_ENDPOINT", own), isEmulator: false };
}

/** The account that the environment names; without one, that of the cloud machine we run on, and none for an emulator. */
export function gcsProof(environment: GcsEnvironment): GcsProof {
  const setting = (name: string): string => environment[name] ?? "";
  const token = setting("GOOGLE_ACCESS_TOKEN");
  if (token !== "") return { kind: "token", token };
  const text = setting("BACKSTAY_GOOGLE_CREDENTIALS");
  if (text !== "") return { kind: "document", text };
  const path = setting("GOOGLE_APPLICATION_CREDENTIALS");
  if (path !== "") return { kind: "file", path };
  return { kind: gcsEndpoint(environment).isEmulator ? "none" : "machine" };
}

function originOf(name: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain =
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    url.username === "" &&
    /^\/?$/.test(url.pathname) &&
    url.search === "";
  if (!isPlain) throw usage(`${name} is no endpoint: http(s)://host:port`);
  return url.origin;
}

function usage(problem: string): BackstayError {
  return new BackstayError("USAGE", { problem });
}
