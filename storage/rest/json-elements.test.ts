import fc from "fast-check";
import { expect, it } from "vitest";
import { JsonElements } from "./json-elements.ts";

function elementsOf(text: string, cuts: readonly number[]): unknown[] {
  const elements = new JsonElements();
  const found: unknown[] = [];
  let from = 0;
  for (const at of [...cuts].sort((a, b) => a - b)) {
    if (at < from || at > text.length) continue;
    found.push(...elements.push(text.slice(from, at)));
    from = at;
  }
  found.push(...elements.push(text.slice(from)));
  elements.end();
  return found;
}

it("gives what JSON.parse gives, wherever the text is cut", () => {
  const element = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.constant(null),
    fc.jsonValue({ maxDepth: 2 }),
  );
  fc.assert(
    fc.property(
      fc.array(element, { maxLength: 8 }),
      fc.array(fc.nat(300), { maxLength: 6 }),
      fc.constantFrom(0, 1, 3),
      (list, cuts, indent) => {
        const text = JSON.stringify(list, null, indent);
        expect(elementsOf(text, cuts)).toEqual(JSON.parse(text));
      },
    ),
  );
});

it("takes null for an empty list", () => {
  for (const text of ["null", " null\n", "[]", " [ ] "]) expect(elementsOf(text, [2])).toEqual([]);
});

it("refuses what is no list, and a list without its end", () => {
  const texts = [
    "",
    "nul",
    "nullx",
    "{}",
    "[1",
    "[1,",
    '["a',
    "[1]x",
    "[1]]",
    "x[1]",
    "[1,]",
    "[,1]",
  ];
  for (const text of [...texts, "<html>[1]", "[{]", "[1 2]", "null[1]", "[1][2]"])
    expect([text, () => elementsOf(text, [1])]).toSatisfy(([, act]: [string, () => unknown]) => {
      try {
        act();
        return false;
      } catch (error) {
        return error instanceof SyntaxError;
      }
    });
});

it("keeps no endless element", () => {
  const elements = new JsonElements();
  expect(() => {
    elements.push('["');
    for (let i = 0; i < 100; i += 1) elements.push("a".repeat(1000));
  }).toThrow(SyntaxError);
});
