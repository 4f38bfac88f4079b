import { describe, expect, it } from "vitest";
import { selects } from "./group-selector.ts";

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
