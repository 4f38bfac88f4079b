import { describe, expect, it } from "vitest";
import { repositoryRoute } from "./repository-route.ts";
import type { StorageIssuer } from "./storage-issuer.ts";

const s3: StorageIssuer = { kind: "s3-sts", durationSeconds: 900 };
const directory: StorageIssuer = { kind: "azure-sas", hierarchical: true, durationSeconds: 900 };
const container: StorageIssuer = { kind: "azure-sas", hierarchical: false, durationSeconds: 900 };
const google: StorageIssuer = { kind: "google-downscoped" };

const isRoute = (url: string, issuer: unknown): boolean =>
  repositoryRoute.safeParse({ kind: "direct", url, issuer, secret: "own" }).success;

describe("an issuer", () => {
  it.each([
    ["s3:https://host:9000/bucket/{tenant}/{agent}", s3],
    ["s3:s3.amazonaws.com/bucket/a/{agent}/b", s3],
    ["gs:bucket:/{agent}", google],
    ["azure:backups:/{tenant}/{agent}", directory],
    ["azure:backup-{agent}:/", container],
  ])("makes accounts for the place of one machine: %s", (url, issuer) => {
    expect(isRoute(url, issuer)).toBe(true);
  });

  it.each([
    ["a bucket for all", "s3:host/bucket", s3],
    ["a prefix for all", "s3:host/bucket/prefix", s3],
    ["a machine in the bucket's name only", "s3:host/b-{agent}", s3],
    ["a prefix for all of a tenant", "gs:bucket:/{tenant}", google],
    ["a container for all, whose prefixes can't be told apart", "azure:b:/{agent}", container],
    ["another kind of storage", "gs:bucket:/{agent}", s3],
    ["a wildcard", "s3:host/bucket/*/{agent}", s3],
    ["a variable of a permission", "s3:host/bucket/$x/{agent}", s3],
    ["a quotation mark", "s3:host/bucket/'/{agent}", s3],
  ])("makes none for %s", (_what, url, issuer) => {
    expect(isRoute(url, issuer)).toBe(false);
  });

  it("needs the server's own account, and a life that storages give", () => {
    const route = { kind: "direct", url: "s3:host/bucket/{agent}", issuer: s3 };
    expect(repositoryRoute.safeParse(route).success).toBe(false);
    for (const durationSeconds of [899, 43_201])
      expect(isRoute("s3:host/bucket/{agent}", { ...s3, durationSeconds })).toBe(false);
  });
});
