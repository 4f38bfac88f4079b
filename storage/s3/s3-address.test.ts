import { expect, it } from "vitest";
import { s3Place } from "./s3-address.ts";

const parts = (address: string, environment: Record<string, string> = {}): unknown[] => {
  const { origin, bucket, prefix, region, virtualHost } = s3Place(address, environment);
  return [origin, bucket, prefix, region, virtualHost ? "host" : "path"];
};

it("takes addresses as restic writes them", () => {
  const cases: [address: string, ...expected: string[]][] = [
    ["https://host/bucket", "https://host", "bucket", ""],
    ["http://host:9000/bucket/prefix", "http://host:9000", "bucket", "prefix/"],
    ["https://host/bucket/a//b/./c/", "https://host", "bucket", "a/b/c/"],
    ["host/bucket/prefix", "https://host", "bucket", "prefix/"],
    ["host:8443/bucket", "https://host:8443", "bucket", ""],
    ["//host/bucket/prefix", "https://host", "bucket", "prefix/"],
    ["https://host/bucket/a%20b", "https://host", "bucket", "a b/"],
    ["host/bucket/a%20b", "https://host", "bucket", "a%20b/"],
    ["http://[::1]:9000/bucket", "http://[::1]:9000", "bucket", ""],
  ];
  for (const [address, ...expected] of cases)
    expect([address, ...parts(address)]).toEqual([address, ...expected, "us-east-1", "path"]);
});

it("knows hosts: the region in their names, and how they take the bucket's", () => {
  const cases: [host: string, vendor: string, region: string, style: string][] = [
    ["s3.amazonaws.com", "Amazon S3", "us-east-1", "host"],
    ["s3.eu-central-1.amazonaws.com", "Amazon S3", "eu-central-1", "host"],
    ["s3-us-west-2.amazonaws.com", "Amazon S3", "us-west-2", "host"],
    ["s3.dualstack.us-east-2.amazonaws.com", "Amazon S3", "us-east-2", "host"],
    ["s3-fips.us-gov-west-1.amazonaws.com", "Amazon S3", "us-gov-west-1", "host"],
    ["s3.cn-north-1.amazonaws.com.cn", "Amazon S3", "cn-north-1", "host"],
    ["bucket.vpce-1a2b-3c.s3.eu-west-1.vpce.amazonaws.com", "Amazon S3", "eu-west-1", "host"],
    ["0123456789abcdef.r2.cloudflarestorage.com", "Cloudflare R2", "auto", "path"],
    ["0123456789abcdef.eu.r2.cloudflarestorage.com", "Cloudflare R2", "auto", "path"],
    ["s3.us-west-004.backblazeb2.com", "Backblaze B2", "us-west-004", "path"],
    ["s3.wasabisys.com", "Wasabi", "us-east-1", "path"],
    ["s3.eu-central-2.wasabisys.com", "Wasabi", "eu-central-2", "path"],
    [
      "s3.private.eu-de.cloud-object-storage.appdomain.cloud",
      "IBM Cloud Object Storage",
      "eu-de",
      "path",
    ],
    ["s3.eu.cloud-object-storage.appdomain.cloud", "IBM Cloud Object Storage", "eu", "path"],
    ["us-central-1a.object.ilandcloud.com", "11:11 Cloud", "us-east-1", "path"],
    ["minio.example", "S3 compatible", "us-east-1", "path"],
    ["s3.amazonaws.com.example", "S3 compatible", "us-east-1", "path"],
  ];
  for (const [host, name, region, style] of cases) {
    const { vendor, ...place } = s3Place(`https://${host}/bucket`, {});
    const found = [host, vendor.name, place.region, place.virtualHost ? "host" : "path"];
    expect(found).toEqual([host, name, region, style]);
  }
});

it("lets settings decide", () => {
  const regions = { AWS_DEFAULT_REGION: "eu-west-3", AWS_REGION: "eu-west-1" };
  expect(parts("s3.us-west-2.amazonaws.com/b", regions)[3]).toBe("eu-west-3");
  expect(parts("host/b", { AWS_REGION: "eu-west-1" })[3]).toBe("eu-west-1");
  expect(parts("host/b", { BACKSTAY_S3_BUCKET_LOOKUP: "dns" })[4]).toBe("host");
  expect(parts("s3.amazonaws.com/b", { BACKSTAY_S3_BUCKET_LOOKUP: "path" })[4]).toBe("path");
  // Its certificate is for one name below the host.
  expect(parts("s3.amazonaws.com/a.b")[4]).toBe("path");
  const proxied = s3Place("host/b", { HTTPS_PROXY: "http://proxy:3128", RESTIC_CACERT: "/ca.pem" });
  expect([proxied.proxy?.href, proxied.authoritiesFile]).toEqual(["http://proxy:3128/", "/ca.pem"]);
  expect(s3Place("host/b", { AWS_CA_BUNDLE: "/other.pem" }).authoritiesFile).toBe("/other.pem");
});

it("refuses what is no address, without the account that may be in it", () => {
  const addresses = [
    "",
    "host",
    "https://host",
    "https://host/",
    "https:///b",
    "host/b?x",
    "host/b#x",
  ];
  for (const address of [...addresses, "https://user:secret@host/b", "user:secret@host/b"]) {
    const act = (): unknown => s3Place(address, {});
    expect(act, address).toThrow(expect.objectContaining({ code: "USAGE" }));
    expect(act, address).not.toThrow(/secret/);
  }
  expect(() => s3Place("host/b", { BACKSTAY_S3_BUCKET_LOOKUP: "both" })).toThrow(
    expect.objectContaining({ code: "USAGE" }),
  );
});

it("refuses Amazon's devices for moving data", () => {
  expect(() => s3Place("http://192.0.2.1:8080/b", { AWS_DEFAULT_REGION: "snow" })).toThrow(
    expect.objectContaining({ code: "STORE_UNSUPPORTED", context: { kind: "Snowball" } }),
  );
});
