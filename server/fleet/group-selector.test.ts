import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { namesFromCsv, selects } from "./group-selector.ts";

describe("selects", () => {
  const machine = { name: "PC-7.example.org", labels: { site: "berlin", ring: "" } };
  it("leaves static groups to people", () => {
    expect(selects({ kind: "static" }, machine)).toBe(false);
  });
  it("wants every label, with its value or any", () => {
    const labels = (wanted: Record<string, string>) =>
      selects({ kind: "labels", labels: wanted }, machine);
    expect(labels({ site: "berlin" })).toBe(true);
    expect(labels({ site: "Berlin" })).toBe(false);
    expect(labels({ site: "*", ring: "*" })).toBe(true);
    expect(labels({ site: "berlin", floor: "*" })).toBe(false);
    expect(labels({ constructor: "*" })).toBe(false);
  });
  it("takes names in any case, short ones for long ones but not the other way", () => {
    const names = (...wanted: string[]) => selects({ kind: "names", names: wanted }, machine);
    expect(names("x", "pc-7.EXAMPLE.org")).toBe(true);
    expect(names("Pc-7")).toBe(true);
    expect(names("pc-7.example.com")).toBe(false);
    expect(names("pc")).toBe(false);
    expect(names()).toBe(false);
    expect(
      selects({ kind: "names", names: ["pc-7.example.org"] }, { ...machine, name: "pc-7" }),
    ).toBe(false);
  });
});

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
      .map((text) => text.trim().replaceAll(/[\r\n\uFEFF#]/g, ""))
      .filter((text) => text !== "");
    fc.assert(
      fc.property(fc.uniqueArray(name, { selector: (text) => text.toLowerCase() }), (names) => {
        const csv = ["name", ...names.map((each) => `"${each.replaceAll('"', '""')}"`)].join("\n");
        expect(namesFromCsv(csv)).toEqual(names);
      }),
    );
  });
});
