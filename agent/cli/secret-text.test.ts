/** Password files of every editor give the same password. */
import { describe, expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { secretBytes } from "./secret-text.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");
const utf16 = (value: string, isBig: boolean): Buffer => {
  const bytes = Buffer.from(`\ufeff${value}`, "utf16le");
  return isBig ? bytes.swap16() : bytes;
};

describe("a password", () => {
  it.each([
    ["as it is", Buffer.from("geheim")],
    ["with a line feed", Buffer.from("geheim\n")],
    ["with line ends and spaces on both sides", Buffer.from("\r\n\t geheim \r\n")],
    ["with a no-break space at its end", Buffer.from("geheim\u00a0")],
    ["with a UTF-8 mark", Buffer.from("\ufeffgeheim\n")],
    ["in UTF-16, little end first", utf16("geheim\r\n", false)],
    ["in UTF-16, big end first", utf16("geheim\r\n", true)],
  ])("%s is read", (_how, content) => {
    expect(text(secretBytes(content, "file"))).toBe("geheim");
  });

  it("keeps white space and marks inside", () => {
    expect(text(secretBytes(Buffer.from(" a b\ufeffc\u00a0d \n"), "file"))).toBe(
      "a b\ufeffc\u00a0d",
    );
  });

  it("that is not UTF-8 keeps its bytes", () => {
    const content = Uint8Array.of(0x20, 0xff, 0x20, 0xfd, 0x0a);
    expect(secretBytes(content, "file")).toEqual(Uint8Array.of(0xff, 0x20, 0xfd));
  });

  it("in broken UTF-16 is refused", () => {
    const content = Uint8Array.of(0xff, 0xfe, 0x00, 0xd8);
    const read = (): Uint8Array => secretBytes(content, "file");
    expect(read).toThrow(expect.toSatisfy((error: unknown) => isBackstayError(error, "USAGE")));
  });
});
