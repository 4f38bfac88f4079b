import fc from "fast-check";
import { expect, it } from "vitest";
import { wantedBytes } from "./range-header.ts";

it("reads the three forms, and sends all for any other", () => {
  const cases: [header: string | undefined, sizeBytes: number, wanted: object][] = [
    ["bytes=0-0", 10, { kind: "part", offset: 0, length: 1 }],
    ["bytes=2-5", 10, { kind: "part", offset: 2, length: 4 }],
    ["bytes=2-", 10, { kind: "part", offset: 2, length: 8 }],
    ["bytes=2-99", 10, { kind: "part", offset: 2, length: 8 }],
    ["bytes=-3", 10, { kind: "part", offset: 7, length: 3 }],
    ["bytes=-30", 10, { kind: "part", offset: 0, length: 10 }],
    ["bytes=10-", 10, { kind: "none" }],
    ["bytes=10-12", 10, { kind: "none" }],
    ["bytes=-0", 10, { kind: "none" }],
    ["bytes=0-", 0, { kind: "none" }],
    ["bytes=-5", 0, { kind: "none" }],
    ...[undefined, "", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,4-5", "items=0-1"].map(
      (header): [string | undefined, number, object] => [header, 10, { kind: "whole" }],
    ),
    ["bytes=a-b", 10, { kind: "whole" }],
    ["bytes=0-99999999999999999999", 10, { kind: "whole" }],
  ];
  for (const [header, sizeBytes, wanted] of cases)
    expect([header, sizeBytes, wantedBytes(header, sizeBytes)]).toEqual([
      header,
      sizeBytes,
      wanted,
    ]);
});

it("never goes beyond the file", () => {
  const edge = fc.option(fc.nat(30), { nil: "" });
  fc.assert(
    fc.property(edge, edge, fc.nat(25), (first, last, sizeBytes) => {
      const wanted = wantedBytes(`bytes=${first}-${last}`, sizeBytes);
      if (wanted.kind !== "part") return;
      expect(wanted.length).toBeGreaterThan(0);
      expect(wanted.offset).toBeGreaterThanOrEqual(0);
      expect(wanted.offset + wanted.length).toBeLessThanOrEqual(sizeBytes);
    }),
  );
});
