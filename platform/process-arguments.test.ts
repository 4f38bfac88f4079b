/** Arguments that are not UTF-8 survive, and are told apart. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { argumentBytes, textOf } from "./process-arguments.ts";

describe("the text of bytes", () => {
  it("is the usual one for UTF-8", () => {
    expect(textOf(Buffer.from("é日😀\ufeff"))).toBe("é日😀\ufeff");
    expect(argumentBytes("é日😀")).toEqual(new Uint8Array(Buffer.from("é日😀")));
  });

  it("gives back the same bytes, whatever they are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(argumentBytes(textOf(bytes))).toEqual(new Uint8Array(bytes));
      }),
    );
  });

  it("tells broken bytes from a true U+FFFD", () => {
    expect(textOf(Uint8Array.of(0xff))).not.toBe(textOf(Buffer.from("\ufffd")));
  });
});

it.runIf(process.platform === "linux")("a process gets its arguments as they were given", () => {
  const module = fileURLToPath(new URL("./process-arguments.ts", import.meta.url));
  const script = `
    import { argumentBytes, processArguments } from ${JSON.stringify(module)};
    console.log(processArguments().map((text) => Buffer.from(argumentBytes(text)).toString("hex")).join(" "));
  `;
  // A shell can make what Node can't pass on: a byte that is no text.
  const line = `exec "$0" --input-type=module-typescript --disable-warning=ExperimentalWarning -e "$1" -- script plain "$(printf 'a\\377b')" "$(printf '\\303\\251')"`;
  const { stdout, stderr } = spawnSync("sh", ["-c", line, process.execPath, script], {
    encoding: "utf8",
  });
  const hex = (bytes: readonly number[] | string): string =>
    Buffer.from(bytes as string).toString("hex");
  expect(stderr).toBe("");
  expect(stdout.trim()).toBe(`${hex("plain")} ${hex([0x61, 0xff, 0x62])} ${hex("é")}`);
});
