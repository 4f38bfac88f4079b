/** Policies that mean the same have one fingerprint. */
import { expect, it } from "vitest";
import { policy } from "../../protocol/policy/policy.ts";
import { normalisedDocument, policyFingerprint } from "./policy-fingerprint.ts";

const least = {
  version: 1,
  name: "documents",
  source: { paths: ["/srv/documents"] },
  destination: { repository: "/mnt/backup" },
  encryption: { password: { secret: "repository" } },
};
const fingerprint = (changes: object): string =>
  policyFingerprint(policy.parse({ ...least, ...changes }));

it("the order of fields, the spelling of values and named defaults do not matter", () => {
  const reversed = Object.fromEntries(Object.entries(least).reverse());
  expect(policyFingerprint(policy.parse(reversed))).toBe(fingerprint({}));
  expect(fingerprint({ kind: "workstation", limits: { duration: "3w" } })).toBe(fingerprint({}));
  expect(fingerprint({})).toMatch(/^[0-9a-f]{64}$/);
});

it("every difference that means something shows", () => {
  const different = [
    {},
    { kind: "server" },
    { limits: { duration: "20d" } },
    { retention: {} },
    { source: { paths: ["/srv/documents", "/srv"] } },
    { source: { paths: ["/srv", "/srv/documents"] } },
  ].map(fingerprint);
  expect(new Set(different).size).toBe(different.length);
});

it("the normalised document is read as the same policy", () => {
  const given = policy.parse({
    ...least,
    schedule: { timers: [{ every: "day", at: "07:05", days: ["sunday", "monday"] }] },
  });
  const document = normalisedDocument(given);
  expect(document).toMatchObject({
    limits: { duration: "21d" },
    schedule: { timers: [{ at: "07:05", days: ["monday", "sunday"] }] },
  });
  expect(policy.parse(JSON.parse(JSON.stringify(document)))).toEqual(given);
});
