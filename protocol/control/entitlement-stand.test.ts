import { expect, it } from "vitest";
import { entitlementStand } from "./entitlement-stand.ts";

const dayMs = 86_400_000;
const end = Date.UTC(2026, 6, 1);

it.each([
  [-31, "valid"],
  [-30, "renew-due"],
  [-0.001, "renew-due"],
  [0, "grace"],
  [29.999, "grace"],
  [30, "lapsed"],
  [3000, "lapsed"],
])("%d days after its end a licence is %s", (days, stand) => {
  const entitled = { validUntilMs: end, graceDays: 30 };
  expect(entitlementStand(entitled, end + days * dayMs)).toBe(stand);
});

it("what has no end, or is not there, is valid for ever", () => {
  expect(entitlementStand({ graceDays: 0 }, Number.MAX_SAFE_INTEGER)).toBe("valid");
  expect(entitlementStand(undefined, Number.MAX_SAFE_INTEGER)).toBe("valid");
});
