/** Groups of tests that need a system bus of their own, and what becomes of them where there can be none. */
import { describe, it } from "vitest";
import { privateBusProblem } from "./private-bus.ts";

/** A group of tests with a private bus; skipped with the reason where there is none, failed where `CI` is `true`. */
export function describeWithPrivateBus(name: string, declareTests: () => void): void {
  const problem = privateBusProblem();
  if (problem === undefined) describe(name, declareTests);
  else
    describe(name, () => {
      it("has a private bus", (context) => {
        if (process.env["CI"] === "true") throw new Error(problem);
        context.skip(problem);
      });
    });
}
