/** Text from elsewhere never reaches a terminal as anything but text. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { printedMessage, printedName } from "./printed-text.ts";

const controls = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u;

describe("a name", () => {
  it.each([
    ["/srv/data", "/srv/data"],
    ["/with space/é/日本", "/with space/é/日本"],
    ['quote " and \\', 'quote " and \\'],
    ["", ""],
    ["line\nfeed", '"line\\nfeed"'],
    ["\u001b[31mred", '"\\x1b[31mred"'],
    ["\u202egnp.exe", '"\\u202egnp.exe"'],
  ])("%j is shown as %s", (name, shown) => {
    expect(printedName(name)).toBe(shown);
  });

  it("that is not UTF-8 is quoted byte by byte", () => {
    expect(printedName(Uint8Array.of(0x61, 0xff, 0x62))).toBe('"a\\xffb"');
  });

  it("never holds a control character, whatever its bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(printedName(bytes)).not.toMatch(controls);
      }),
    );
  });
});

describe("a message", () => {
  it("keeps what can be shown and escapes the rest", () => {
    expect(printedMessage("plain é")).toBe("plain é");
    expect(printedMessage("a\nb\u001b[2J\u2028\ud800")).toBe("a\\nb\\x1b[2J\\u{2028}\ufffd");
  });

  it("never holds a control character", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0x10ffff), { maxLength: 40 }), (points) => {
        expect(printedMessage(String.fromCodePoint(...points))).not.toMatch(controls);
      }),
    );
  });
});
