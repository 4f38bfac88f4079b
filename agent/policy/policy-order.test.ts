/** Policies that start after others. */
import { expect, it } from "vitest";
import { type Policy, policy } from "../../protocol/policy/policy.ts";
import { orderObjections } from "./policy-order.ts";

function policies(after: Readonly<Record<string, readonly string[]>>): Map<string, Policy> {
  return new Map(
    Object.entries(after).map(([name, before]) => [
      name,
      policy.parse({
        version: 1,
        name,
        source: { paths: ["/srv"] },
        destination: { repository: "/mnt" },
        encryption: { password: { secret: "x" } },
        schedule: { timers: before.map((each) => ({ every: "after-policy", policy: each })) },
      }),
    ]),
  );
}

function objections(after: Readonly<Record<string, readonly string[]>>): string[] {
  const all = policies(after);
  return [...all.values()].flatMap((each) =>
    orderObjections(each, all).map(({ problem }) => `${each.name}: ${problem}`),
  );
}

it("may form chains and trees", () => {
  expect(objections({ a: [], b: ["a"], c: ["b", "a"], d: ["b"] })).toEqual([]);
});

it("can't start after a policy that does not exist", () => {
  expect(objections({ a: ["b"] })).toEqual(["a: there is no policy b to start after"]);
});

it("can't start after themselves, directly or not", () => {
  expect(objections({ a: ["a"] })).toEqual(["a: a itself starts after a"]);
  expect(objections({ a: ["b"], b: ["c"], c: ["a"], d: ["a"] })).toEqual([
    "a: b itself starts after a",
    "b: c itself starts after b",
    "c: a itself starts after c",
  ]);
});
