import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PropertyValue, parseDictionary, parsePropertyList } from "./property-list.ts";

const plain = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.integer(),
  fc.boolean(),
  fc.uint8Array({ maxLength: 20 }),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    plain,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(fc.string(), tie("value")), { maxLength: 4 }).map((all) => new Map(all)),
  ),
}));

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** As Apple's programs write it, with tabs and line ends. */
function write(each: unknown, indent = ""): string {
  if (typeof each === "string") return `${indent}<string>${escaped(each)}</string>\n`;
  if (typeof each === "number") return `${indent}<integer>${each}</integer>\n`;
  if (typeof each === "boolean") return `${indent}<${each}/>\n`;
  if (each instanceof Uint8Array)
    return `${indent}<data>\n${indent}${Buffer.from(each).toString("base64")}\n${indent}</data>\n`;
  if (each instanceof Map) {
    const entries = [...(each as Map<string, unknown>)].map(
      ([key, inner]) => `${indent}\t<key>${escaped(key)}</key>\n${write(inner, `${indent}\t`)}`,
    );
    return entries.length === 0
      ? `${indent}<dict/>\n`
      : `${indent}<dict>\n${entries.join("")}${indent}</dict>\n`;
  }
  const items = (each as readonly unknown[]).map((item) => write(item, `${indent}\t`));
  return items.length === 0
    ? `${indent}<array/>\n`
    : `${indent}<array>\n${items.join("")}${indent}</array>\n`;
}

const header =
  '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "x.dtd">\n';

/** Buffers and arrays of bytes are the same thing here. */
const alike = (each: unknown): unknown => {
  if (each instanceof Uint8Array) return [...each];
  if (each instanceof Map) return [...each].map(([key, inner]) => [key, alike(inner)]);
  return Array.isArray(each) ? each.map(alike) : each;
};

describe("property lists", () => {
  it("are read as they were written", () => {
    fc.assert(
      fc.property(value, (each) => {
        const text = `${header}<plist version="1.0">\n${write(each)}</plist>\n`;
        expect(alike(parsePropertyList(text))).toEqual(alike(each));
      }),
    );
  });

  it("never hang or give half a value when they are cut", () => {
    const text = `${header}<plist version="1.0">${write(new Map<string, PropertyValue>([["a", ["b", 1]]]))}</plist>`;
    for (let length = 0; length < text.length; length += 1)
      expect(() => parsePropertyList(text.slice(0, length)), `${length}`).toThrow("property list");
  });

  it("may hold comments, dates, real numbers and numbered characters", () => {
    const text =
      "<plist><!-- <x> --><array><date>2026-11-23T08:00:00Z</date><real>1.5</real><string>&#65;&#x1F600;&unknown;</string><true></true></array></plist>";
    expect(parsePropertyList(text)).toEqual(["2026-11-23T08:00:00Z", 1.5, "A😀&unknown;", true]);
  });

  it.each([
    ["no XML", "Could not find disk: disk9"],
    ["another element", "<plist><set/></plist>"],
    ["a key without value", "<plist><dict><key>a</key></dict></plist>"],
    ["a value without key", "<plist><dict><true/></dict></plist>"],
    ["a wrong end", "<plist><string>a</integer></plist>"],
    ["too much nesting", "<array>".repeat(100_000)],
  ])("are refused: %s", (_, text) => {
    expect(() => parsePropertyList(text)).toThrow("property list");
    expect(parseDictionary(text)).toBe(undefined);
  });
});
