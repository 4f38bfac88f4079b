import { expect, it } from "vitest";
import { risingCommandId } from "./command-id.ts";

it("rises whatever the clock does, in the form of a UUID of version 7", () => {
  const nowMs = Date.now();
  const ids = [
    ...Array.from({ length: 10_000 }, () => risingCommandId(nowMs)),
    risingCommandId(nowMs - 86_400_000),
    ...Array.from({ length: 100 }, () => risingCommandId()),
    risingCommandId(nowMs + 3_600_000),
  ];
  expect(ids).toEqual(ids.toSorted());
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids)
    expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
});
