/** Cells of a terminal. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { displayWidth, padCells, shortenMiddle } from "./display-width.ts";

it.each([
  ["abc", 3],
  ["日本", 4],
  ["e\u0301", 1],
  ["😀", 2],
  ["", 0],
])("%s takes %d cells", (text, cells) => {
  expect(displayWidth(text)).toBe(cells);
});

it("a text is cut in its middle, its end being the most telling", () => {
  expect(shortenMiddle("/very/long/path/to/a/file.txt", 16)).toBe("/very…a/file.txt");
  expect(shortenMiddle("short", 5)).toBe("short");
  expect(shortenMiddle("日本日本日本", 5)).toBe("…日本");
  expect(shortenMiddle("abc", 0)).toBe("");
});

it("a cut text is never wider than its place", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(60), (text, cells) => {
      expect(displayWidth(shortenMiddle(text, cells))).toBeLessThanOrEqual(cells);
    }),
  );
});

it("padding counts cells", () => {
  expect(padCells("日", 4)).toBe("日  ");
  expect(padCells("7", 3, "left")).toBe("  7");
});
