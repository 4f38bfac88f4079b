/** An `s3:` address and its settings, taken apart: where the bucket is, how to name it, and whom we trust there. */
import { proxyFor } from "../../platform/proxy-choice.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { HttpPlace } from "../http/http-transport.ts";
import { type S3Vendor, vendorOf } from "./s3-vendors.ts";

/** As `OpenStoreOptions.environment`. */
export type S3Environment = Readonly<Record<string, string | undefined>>;

export interface S3Place extends HttpPlace {
  readonly bucket: string;
  /** Of every key: empty, or ends with a slash. */
  readonly prefix: string;
  readonly vendor: S3Vendor;
  readonly region: string;
  /** True: the bucket's name is part of the host's. */
  readonly virtualHost: boolean;
}

const lookups = ["auto", "dns", "path"];

/**
 * `place` is what follows `s3:`: `http(s)://host[:port]/bucket[/prefix]`, or the same without the scheme, which is https.
 * USAGE if it, or a setting, can't be used; STORE_UNSUPPORTED if it is a device that Backstay does not write to.
 */
export function s3Place(place: string, environment: S3Environment): S3Place {
  const setting = (...names: string[]): string =>
    names.map((name) => environment[name] ?? "").find((value) => value !== "") ?? "";
  // As with restic, what has no scheme is no URL: a percent sign there is one.
  const plain = place.replace(/^\/\//, "").replaceAll("%", "%25");
  const text = /^https?:\/\//i.test(place) ? place : `https://${plain}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === "" || url.search !== "" || url.hash !== "")
    throw usage("an s3: address is s3:https://host/bucket/prefix, without ? and #");
  if (url.username !== "" || url.password !== "")
    throw usage("an s3: address holds no account; it is in AWS_ACCESS_KEY_ID");
  const [bucket = "", ...folders] = pathOf(url);
  if (bucket === "") throw usage("an s3: address names a bucket: s3:https://host/bucket/prefix");
  const vendor = vendorOf(url.hostname);
  const region = setting("AWS_DEFAULT_REGION", "AWS_REGION") || (vendor.region ?? "us-east-1");
  refuseSnow(region);
  const lookup = setting("BACKSTAY_S3_BUCKET_LOOKUP") || "auto";
  if (!lookups.includes(lookup))
    throw usage(`BACKSTAY_S3_BUCKET_LOOKUP is one of ${lookups.join(", ")}`);
  const authoritiesFile = setting("RESTIC_CACERT", "AWS_CA_BUNDLE");
  const prefix = folders.map((folder) => `${folder}/`).join("");
  return {
    origin: url.origin,
    location: `s3:${url.origin}/${bucket}/${prefix}`,
    pins: [],
    authoritiesFile: authoritiesFile === "" ? undefined : authoritiesFile,
    proxy: proxyFor(url, environment),
    bucket,
    prefix,
    vendor,
    region,
    // A certificate for all names below a host is not for names with dots.
    virtualHost:
      lookup === "dns" || (lookup === "auto" && vendor.virtualHost && !bucket.includes(".")),
  };
}

/** Folders of Amazon's Snow devices are in this region: they are for moving data once, and lose objects when they leave. */
export function refuseSnow(region: string): void {
  if (region === "snow" || region === "SNOW")
    throw new BackstayError("STORE_UNSUPPORTED", { kind: "Snowball" });
}

/** Cleaned as restic cleans it: nothing empty, no dots. */
function pathOf(url: URL): string[] {
  return url.pathname
    .split("/")
    .filter((part) => part !== "")
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
}

function usage(problem: string): BackstayError {
  return new BackstayError("USAGE", { problem });
}
