/** Locks and classes as the command line says them. */
import { expect, it } from "vitest";
import { type NewObjectOptions, newObjectsOf } from "./new-object-options.ts";

const of = (options: Partial<NewObjectOptions>) => newObjectsOf({ option: [], ...options });

it("are none unless asked for, and nobody can end a lock early unless that is asked for", () => {
  expect(of({})).toEqual({});
  expect(of({ retentionDays: 30 })).toEqual({ immutability: { mode: "compliance", days: 30 } });
  expect(of({ retentionDays: 1, retentionMode: "governance" })).toEqual({
    immutability: { mode: "governance", days: 1 },
  });
});

it("are taken in restic's words, too", () => {
  expect(of({ option: ["s3.storage-class=STANDARD_IA"] })).toEqual({ storageClass: "STANDARD_IA" });
  expect(of({ option: ["azure.access-tier=Cool"], storageClass: "Cool" })).toEqual({
    storageClass: "Cool",
  });
});

it.each([
  { retentionMode: "compliance" },
  { option: ["s3.storage-class=A", "azure.access-tier=B"] },
  { option: ["s3.storage-class="] },
  { option: ["s3.connections=3"] },
] as const)("can't be %j", (options) => {
  expect(() => of(options)).toThrow(expect.objectContaining({ code: "USAGE" }));
});
