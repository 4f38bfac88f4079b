/** Typing a password. */
import { PassThrough } from "node:stream";
import type { ReadStream } from "node:tty";
import { describe, expect, it, vi } from "vitest";
import { askPassword, readSecretLine } from "./password-prompt.ts";
import { Screen } from "./screen.ts";

class FakeTerminal extends PassThrough {
  isRaw = false;
  setRawMode(isRaw: boolean): this {
    this.isRaw = isRaw;
    return this;
  }
}

async function typing(
  keys: readonly (string | Uint8Array)[],
  signal = new AbortController().signal,
): Promise<{ typed: string; terminal: FakeTerminal }> {
  const terminal = new FakeTerminal();
  const screen = new Screen({
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    terminal: undefined,
  });
  const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  try {
    const asked = askPassword(terminal as unknown as ReadStream, screen, "password: ", signal);
    expect(stderr).toHaveBeenCalledWith("password: ");
    expect(terminal.isRaw).toBe(true);
    for (const key of keys) terminal.write(key);
    return { typed: Buffer.from(await asked).toString(), terminal };
  } finally {
    stderr.mockRestore();
  }
}

describe("a typed password", () => {
  it.each<[string, (string | Uint8Array)[], string]>([
    ["ends with Enter", ["sec", "ret\r"], "secret"],
    ["ends with a line feed", ["secret\nmore"], "secret"],
    ["ends with Ctrl-D", ["secret\u0004"], "secret"],
    ["may be corrected", ["sex\u007fcret\b\bet\r"], "secret"],
    ["loses whole characters", ["é\u007f日\u007fx\r"], "x"],
    ["may be begun anew", ["wrong\u0015right\r"], "right"],
    ["may hold spaces", [" a b \r"], " a b "],
  ])("%s", async (_how, keys, typed) => {
    const seen = await typing(keys);
    expect(seen.typed).toBe(typed);
    expect(seen.terminal.isRaw).toBe(false);
  });

  it("gives the terminal back when it is interrupted", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("interrupted")), 10);
    await expect(typing(["half"], controller.signal)).rejects.toThrow("interrupted");
  });
});

describe("a line that is no terminal's", () => {
  it.each([
    [["secret\n", "more\n"], "secret"],
    [["sec", "ret"], "secret"],
    [["secret\r\n"], "secret"],
    [[], ""],
  ])("%j", async (parts, line) => {
    const stream = new PassThrough();
    for (const part of parts) stream.write(part);
    stream.end();
    const read = await readSecretLine(stream, new AbortController().signal);
    expect(Buffer.from(read).toString()).toBe(line);
  });
});
