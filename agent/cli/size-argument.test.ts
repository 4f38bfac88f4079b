import { describe, expect, it } from "vitest";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { parseSize } from "./size-argument.ts";

describe("parseSize", () => {
  it.each([
    ["0", 0],
    ["2048", 2048],
    ["2048b", 2048],
    ["1k", 1024],
    ["10M", 10 * 1024 * 1024],
    ["3g", 3 * 1024 ** 3],
    ["2T", 2 * 1024 ** 4],
    ["+5", 5],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ])("takes %s", (text, expected) => {
    expect(parseSize(text, "--exclude-larger-than")).toBe(expected);
  });

  it.each([
    "",
    "M",
    "-1",
    "1.5M",
    "10MiB",
    "10 M",
    "1e3",
    "0x10",
    "ten",
    "9007199254740992",
    "8192T",
  ])("refuses %j and names the option", (text) => {
    expect(() => parseSize(text, "--exclude-larger-than")).toThrow(BackstayError);
    expect(() => parseSize(text, "--exclude-larger-than")).toThrow("--exclude-larger-than");
  });
});
