import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOfShortSize, bytesOfSize, sizeUnits } from "./size-text.ts";

describe("sizes as people write them", () => {
  it("are whole numbers of their units", () => {
    const units = Object.entries(sizeUnits);
    fc.assert(
      fc.property(
        fc.nat(),
        fc.constantFrom(...units),
        fc.boolean(),
        (count, [unit, bytes], gap) => {
          expect(bytesOfSize(`${count}${gap ? " " : ""}${unit}`)).toBe(count * bytes);
          expect(bytesOfShortSize(`${count}${unit.slice(0, 1)}`)).toBe(count * bytes);
          expect(bytesOfShortSize(`+${count}${unit.slice(0, 1).toLowerCase()}`)).toBe(
            count * bytes,
          );
        },
      ),
    );
  });

  it("may be broken in the long form, and come to whole bytes", () => {
    expect(bytesOfSize("1.5 GiB")).toBe(1.5 * 2 ** 30);
    expect(bytesOfSize("0.3 KiB")).toBe(307);
    expect(bytesOfShortSize("1.5G")).toBeUndefined();
  });

  it("are bytes in the short form without a unit", () => {
    expect(bytesOfShortSize("7")).toBe(7);
    expect(bytesOfSize("7")).toBeUndefined();
  });

  it.each(["", "K", "-1K", " 1K", "1 K", "1P", "1 PiB", "1 gib", "1e3 B", "GiB"])(
    "are not %j",
    (text) => {
      expect(bytesOfSize(text)).toBeUndefined();
      expect(bytesOfShortSize(text)).toBeUndefined();
    },
  );
});
