import { expect, it } from "vitest";
import { sessionStates } from "../../protocol/session-record.ts";
import { assertTransition } from "./session-machine.ts";

it("lets sessions take these steps and no others", () => {
  const steps = sessionStates.flatMap((from) =>
    sessionStates.flatMap((to) => {
      try {
        assertTransition(from, to);
        return `${from} > ${to}`;
      } catch (error) {
        expect(error).toMatchObject({ code: "INTERNAL" });
        return [];
      }
    }),
  );
  expect(steps).toEqual([
    "queued > preparing",
    "queued > finished",
    "preparing > running",
    "preparing > ending",
    "running > ending",
    "ending > finished",
  ]);
});

it("always goes on in the order of the states", () => {
  for (const [at, from] of sessionStates.entries())
    for (const to of sessionStates.slice(0, at + 1))
      expect(() => assertTransition(from, to)).toThrow();
});
