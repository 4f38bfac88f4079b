import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { namesFromCsv } from "./names-from-csv.ts";

describe("namesFromCsv", () => {
  it("takes the first column, without comments, blanks and repetitions", () => {
    expect(namesFromCsv('\uFEFFa, x\r\n\n# none\n"b ""c""";y\nA\n  d\t1\n')).toEqual([
      "A",
      'b "c"',
      "d",
    ]);
  });
  it("takes the column whose title says that it holds names", () => {
    expect(namesFromCsv('site,Host Name,owner\nx,pc1,me\ny,"pc2",you\nz\n')).toEqual([
      "pc1",
      "pc2",
    ]);
    expect(namesFromCsv("name\na\n")).toEqual(["a"]);
  });
  it("gives back what was written, whatever the names are", () => {
    const name = fc
      .string({ minLength: 1 })
      .map((text) => text.replaceAll(/[\r\n\uFEFF#]/g, "").trim())
      .filter((text) => text !== "");
    fc.assert(
      fc.property(fc.uniqueArray(name, { selector: (text) => text.toLowerCase() }), (names) => {
        const csv = ["name", ...names.map((each) => `"${each.replaceAll('"', '""')}"`)].join("\n");
        expect(namesFromCsv(csv)).toEqual(names);
      }),
    );
  });
});
