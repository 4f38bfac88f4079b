import fc from "fast-check";
import { expect, it } from "vitest";
import { lockRuleOf, lockRuleText, lockUntilOf, lockUntilText } from "./gateway-locks.ts";
import { retentionModes } from "./immutability.ts";

const mode = fc.constantFrom(...retentionModes);

it("writes what it reads", () => {
  fc.assert(
    fc.property(mode, fc.integer({ min: 1, max: 99_999 }), (given, days) => {
      expect(lockRuleOf(lockRuleText({ mode: given, days }))).toEqual({ mode: given, days });
    }),
  );
  fc.assert(
    fc.property(mode, fc.integer({ min: 1, max: 999_999_999_999_999 }), (given, untilMs) => {
      expect(lockUntilOf(lockUntilText({ mode: given, untilMs }))).toEqual({
        mode: given,
        untilMs,
      });
    }),
  );
});

it("never locks for less than it was told", () => {
  expect(lockRuleText({ mode: "compliance", days: 0.01 })).toBe("compliance days=1");
  expect(lockUntilText({ mode: "governance", untilMs: 10.2 })).toBe("governance until=11");
});

it.each([
  "",
  "ask",
  "compliance",
  "compliance days=0",
  "days=3",
  "hard days=3",
  "compliance days=3 ",
])("takes %j for no lock", (text) => {
  expect(lockRuleOf(text)).toBeUndefined();
  expect(lockUntilOf(text.replace("days", "until"))).toBeUndefined();
});
