/**
 * What differs between the servers that speak S3, by the name of the host. Whatever is not known of a server is found out
 * from its answers, so a host that is in no row works too.
 */

export interface S3Vendor {
  readonly name: string;
  /** The bucket's name is part of the host's; otherwise of the path. */
  readonly virtualHost: boolean;
  /** Undefined: what the settings say, or `us-east-1`. */
  readonly region: string | undefined;
  /** True: it is known to refuse a second object of a name by itself. Otherwise that is tried out. */
  readonly refusesTaken: boolean;
  /** It keeps SHA-256 of objects and checks them; all others check the one of the signature only. */
  readonly keepsHashes: boolean;
  /** The host is one for all regions: requests go to the one of the bucket's region. */
  readonly hostOfRegion: boolean;
}

const common = {
  virtualHost: false,
  region: undefined,
  refusesTaken: false,
  keepsHashes: false,
  hostOfRegion: false,
};

const rows: readonly [host: RegExp, vendor: Omit<S3Vendor, "region">, regionless?: string][] = [
  [
    /^s3\.amazonaws\.com$/,
    {
      ...common,
      name: "Amazon S3",
      virtualHost: true,
      refusesTaken: true,
      keepsHashes: true,
      hostOfRegion: true,
    },
  ],
  [
    /^(?:bucket\.vpce-[a-z0-9-]+\.)?s3(?:-fips)?(?:\.dualstack)?[.-](?<region>[a-z]{2}(?:-[a-z]+)+-\d)(?:\.vpce)?\.amazonaws\.com(?:\.cn)?$/,
    { ...common, name: "Amazon S3", virtualHost: true, refusesTaken: true, keepsHashes: true },
  ],
  [
    /^(?:[a-z0-9-]+\.)?[a-z0-9]+(?:\.eu|\.fedramp)?\.r2\.cloudflarestorage\.com$/,
    { ...common, name: "Cloudflare R2", refusesTaken: true },
    "auto",
  ],
  [/^s3\.(?<region>[a-z0-9-]+)\.backblazeb2\.com$/, { ...common, name: "Backblaze B2" }],
  [/^s3\.(?<region>[a-z0-9-]+)\.wasabisys\.com$/, { ...common, name: "Wasabi" }],
  [/^s3\.wasabisys\.com$/, { ...common, name: "Wasabi" }, "us-east-1"],
  [
    /^s3\.(?:private\.|direct\.)?(?<region>[a-z0-9-]+)\.cloud-object-storage\.(?:appdomain\.cloud|softlayer\.net)$/,
    { ...common, name: "IBM Cloud Object Storage" },
  ],
  [/(?:^|\.)(?:11-11|1111systems|ilandcloud)\.[a-z.]+$/, { ...common, name: "11:11 Cloud" }],
];

/** Ceph, MinIO and all others: nothing of them is in the name of the host. */
const compatible: S3Vendor = { ...common, name: "S3 compatible" };

/** `host` without a port, in small letters. */
export function vendorOf(host: string): S3Vendor {
  for (const [pattern, vendor, regionless] of rows) {
    const match = pattern.exec(host);
    if (match !== null) return { ...vendor, region: match.groups?.["region"] ?? regionless };
  }
  return compatible;
}
