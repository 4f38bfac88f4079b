import { expect, it } from "vitest";
import { TextTail } from "./text-tail.ts";

it("keeps the end of what was said, and says that something is missing", () => {
  const tail = new TextTail(10);
  tail.add(Buffer.from("short"));
  expect(tail.text()).toBe("short");
  for (let i = 0; i < 1000; i += 1) tail.add(Buffer.from(`line ${i}\n`));
  expect(tail.text()).toBe("…line 999");
});

it("takes out what a terminal would obey", () => {
  const tail = new TextTail(100);
  tail.add(Buffer.from("\u001b[31mred\u0007\r\ttab\u009b5n\n"));
  expect(tail.text()).toBe("[31mred\ttab5n");
});
