import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import type { AccountAnswer, RunOrder } from "../../protocol/run-order.ts";
import { readOrder } from "./order-input.ts";

const order = {
  version: 2,
  repository: { routes: [{ kind: "direct", url: "/r" }], password: "p", create: false },
  work: { kind: "check", data: "structure" },
};
const answers: AccountAnswer[] = [1, 2, 3].map((route) => ({
  type: "account",
  route,
  answer: { kind: "temporary", problem: "the server is away" },
}));
const text = [order, ...answers].map((line) => `${JSON.stringify(line)}\n`).join("");

it.each([1, 7, 64, 100_000])(
  "reads the order, answers and the end, in pieces of %i bytes",
  async (size) => {
    const input = new PassThrough();
    const heard: unknown[] = [];
    const reading = readOrder(input, {
      answered: (answer) => heard.push(answer),
      gone: () => heard.push("gone"),
    });
    for (let at = 0; at < text.length; at += size) input.write(text.slice(at, at + size));
    input.end();
    expect(await reading).toMatchObject(order as unknown as RunOrder);
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual([...answers, "gone"]);
  },
);

it("is undefined if the input ends before an order", async () => {
  const input = new PassThrough();
  let isGone = false;
  const reading = readOrder(input, { answered: () => undefined, gone: () => (isGone = true) });
  input.end("half an order");
  expect(await reading).toBeUndefined();
  expect(isGone).toBe(true);
});

it("refuses a line without end", async () => {
  const input = new PassThrough();
  const reading = readOrder(input, { answered: () => undefined, gone: () => undefined });
  const part = Buffer.alloc(1024 * 1024, "x");
  for (let count = 0; count < 17; count += 1) input.write(part);
  await expect(reading).rejects.toMatchObject({ code: "RUN_ORDER_INVALID" });
});
