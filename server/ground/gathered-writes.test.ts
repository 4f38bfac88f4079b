import { expect, it } from "vitest";
import { GatheredWrites } from "./gathered-writes.ts";

function gathering(refused: ReadonlySet<number> = new Set(), atOnceMax = 10) {
  const batches: (readonly number[])[] = [];
  const writes = new GatheredWrites<number, string>({
    gatherMs: 1,
    atOnceMax,
    write: async (batch) => {
      batches.push(batch);
      if (batch.some((item) => refused.has(item))) throw new Error("refused");
      return batch.map((item) => `wrote ${item}`);
    },
  });
  return { writes, batches };
}

it("writes what comes together at once, and answers each", async () => {
  const { writes, batches } = gathering();
  const answers = await Promise.all([1, 2, 3].map((item) => writes.add(item)));
  expect(answers).toEqual(["wrote 1", "wrote 2", "wrote 3"]);
  expect(batches).toEqual([[1, 2, 3]]);
});

it("writes no more at once than it may", async () => {
  const { writes, batches } = gathering(new Set(), 2);
  await Promise.all([1, 2, 3, 4, 5].map((item) => writes.add(item)));
  expect(batches).toEqual([[1, 2], [3, 4], [5]]);
});

it("writes the others when one can't be written", async () => {
  const { writes } = gathering(new Set([2]));
  const answers = await Promise.allSettled([1, 2, 3].map((item) => writes.add(item)));
  expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
});

it("begins anew after a batch", async () => {
  const { writes, batches } = gathering();
  await writes.add(1);
  await writes.add(2);
  expect(batches).toEqual([[1], [2]]);
});
