import { describe, expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { gcsEndpoint, gcsPlace, gcsProof } from "./gcs-address.ts";

function isRefused(act: () => unknown): boolean {
  try {
    act();
    return false;
  } catch (error) {
    return isBackstayError(error, "USAGE");
  }
}

describe("a gs: address", () => {
  it("is restic's", () => {
    const known: [place: string, bucket: string, prefix: string, location: string][] = [
      ["bucket:/", "bucket", "", "gs:bucket:/"],
      ["bucket:", "bucket", "", "gs:bucket:/"],
      ["bucket:/prefix", "bucket", "prefix/", "gs:bucket:/prefix"],
      [
        "my.bucket_1-a:/some//deep/./prefix/",
        "my.bucket_1-a",
        "some/deep/prefix/",
        "gs:my.bucket_1-a:/some/deep/prefix",
      ],
    ];
    for (const [place, bucket, prefix, location] of known)
      expect(gcsPlace(place)).toEqual({ bucket, prefix, location });
  });
  it("that is none is refused", () => {
    for (const place of ["", "bucket", "ab:/", "Bucket:/", "-bucket:/", "a/b:/", "bucket:/a/../b"])
      expect([place, isRefused(() => gcsPlace(place))]).toEqual([place, true]);
  });
});

describe("the endpoint", () => {
  it("is Google's, an emulator's, or one of our own", () => {
    expect(gcsEndpoint({})).toEqual({
      origin: "https://storage.googleapis.com",
      isEmulator: false,
    });
    for (const host of ["localhost:9000", "http://localhost:9000", "http://localhost:9000/"])
      expect(gcsEndpoint({ STORAGE_EMULATOR_HOST: host })).toEqual({
        origin: "http://localhost:9000",
        isEmulator: true,
      });
    expect(
      gcsEndpoint({ BACKSTAY_GOOGLE_ENDPOINT: "https://storage-psc.p.googleapis.com" }),
    ).toEqual({ origin: "https://storage-psc.p.googleapis.com", isEmulator: false });
  });
  it("that is none is refused, and tells no password", () => {
    for (const endpoint of ["https://me:secret@host", "ftp://host", "https://host/path", "no host"])
      expect([
        endpoint,
        isRefused(() => gcsEndpoint({ BACKSTAY_GOOGLE_ENDPOINT: endpoint })),
      ]).toEqual([endpoint, true]);
  });
});

describe("the account", () => {
  it("is the first of a token, a document, a file, and the machine's own", () => {
    const file = { GOOGLE_APPLICATION_CREDENTIALS: "/some/file.json" };
    const document = { ...file, BACKSTAY_GOOGLE_CREDENTIALS: "{}" };
    expect(gcsProof({ ...document, GOOGLE_ACCESS_TOKEN: "t" })).toEqual({
      kind: "token",
      token: "t",
    });
    expect(gcsProof(document)).toEqual({ kind: "document", text: "{}" });
    expect(gcsProof(file)).toEqual({ kind: "file", path: "/some/file.json" });
    expect(gcsProof({ GOOGLE_ACCESS_TOKEN: "" })).toEqual({ kind: "machine" });
    expect(gcsProof({ STORAGE_EMULATOR_HOST: "localhost:1" })).toEqual({ kind: "none" });
  });
});
