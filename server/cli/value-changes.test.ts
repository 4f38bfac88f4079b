import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changeText, valueChanges } from "./value-changes.ts";

describe("valueChanges", () => {
  it("names each place that differs", () => {
    const before = { name: "a", quotas: { most: 5, warn: 1 }, routes: [{ kind: "gateway" }] };
    const after = { name: "a", quotas: { most: 6 }, routes: [{ kind: "direct", url: "x" }, 7] };
    expect(valueChanges(before, after).map(changeText)).toEqual([
      "quotas.most: 5 -> 6",
      "quotas.warn: 1 -> (none)",
      'routes[0].kind: "gateway" -> "direct"',
      'routes[0].url: (none) -> "x"',
      "routes[1]: (none) -> 7",
    ]);
    expect(valueChanges([], {})).toEqual([{ place: "", before: [], after: {} }]);
  });
  it("finds nothing between equal values, whatever the order of fields, and something otherwise", () => {
    const turned = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(turned);
      if (typeof value !== "object" || value === null) return value;
      const fields = Object.entries(value).map(([key, each]) => [key, turned(each)] as const);
      return Object.fromEntries(fields.toReversed());
    };
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(valueChanges(a, turned(a))).toEqual([]);
        if (JSON.stringify(a) !== JSON.stringify(b) && typeof a !== "object")
          expect(valueChanges(a, b)).not.toEqual([]);
      }),
    );
  });
});
