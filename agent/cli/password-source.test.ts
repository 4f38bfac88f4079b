/** Which of several passwords counts, and what is said when there is none. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PasswordOptions } from "./global-options.ts";
import { findPassword } from "./password-source.ts";
import { Screen } from "./screen.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-password-"));
  writeFileSync(path.join(folder, "file"), "\ufefffrom file\r\n");
  writeFileSync(path.join(folder, "utf16"), Buffer.from("\ufefffrom file\n", "utf16le"));
  writeFileSync(path.join(folder, "empty"), " \n");
  writeFileSync(path.join(folder, "large"), "x".repeat(100_000));
  writeFileSync(path.join(folder, "program"), `#!/bin/sh\nprintf '%s\\n' "$1"\n`);
  chmodSync(path.join(folder, "program"), 0o755);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function find(
  options: Partial<PasswordOptions>,
  environment: Record<string, string> = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<string> {
  const screen = new Screen({
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    terminal: undefined,
  });
  const found = await findPassword({
    options: { file: undefined, command: undefined, none: false, ...options },
    environment,
    screen,
    signal,
    question: "password",
    twice: false,
  });
  return Buffer.from(found).toString();
}

const at = (name: string): string => path.join(folder, name);
const says = (text: string): string => `'${at("program")}' "${text}"`;

describe("the password", () => {
  it("comes from a file whatever editor wrote it, or from a program without a shell", async () => {
    expect(await find({ file: at("file") })).toBe("from file");
    expect(await find({ file: at("utf16") })).toBe("from file");
    expect(await find({ command: says("$HOME `id`") })).toBe("$HOME `id`");
  });

  it("of an option goes before the environment, ours before restic's, files before plain values", async () => {
    const everything = {
      BACKSTAY_PASSWORD: "ours",
      BACKSTAY_PASSWORD_COMMAND: says("our program"),
      BACKSTAY_PASSWORD_FILE: at("file"),
      RESTIC_PASSWORD: "restic's",
    };
    expect(await find({ command: says("option") }, everything)).toBe("option");
    expect(await find({}, everything)).toBe("from file");
    expect(await find({}, { ...everything, BACKSTAY_PASSWORD_FILE: "" })).toBe("our program");
    expect(await find({}, { BACKSTAY_PASSWORD: "ours", RESTIC_PASSWORD_FILE: at("file") })).toBe(
      "ours",
    );
    expect(await find({}, { RESTIC_PASSWORD: "restic's" })).toBe("restic's");
    expect(
      await find({}, { RESTIC_PASSWORD: "restic's", RESTIC_PASSWORD_COMMAND: says("x") }),
    ).toBe("x");
  });

  it("of the environment keeps its white space", async () => {
    expect(await find({}, { BACKSTAY_PASSWORD: " a " })).toBe(" a ");
  });

  it("is empty only on purpose", async () => {
    expect(await find({ none: true })).toBe("");
    await expect(find({ file: at("empty") })).rejects.toMatchObject({ code: "PASSWORD_MISSING" });
  });
});

describe("what can't be had is named", () => {
  it.each<[Partial<PasswordOptions>, RegExp]>([
    [{ file: "/does/not/exist" }, /--password-file.*ENOENT/],
    [{ file: "/" }, /EISDIR/],
    [{ command: "/does/not/exist hidden" }, /cannot be started: ENOENT/],
    [{ command: "false hidden" }, /exit code 1/],
    [{ command: "sh -c 'kill -9 $$'" }, /SIGKILL/],
    [{ command: "yes hidden" }, /too much/],
    [{ file: "a", command: "b" }, /only one/],
    [{ file: "a", none: true }, /only one/],
  ])("%j", async (options, text) => {
    const failing = find(options);
    await expect(failing).rejects.toThrow(text);
    await expect(failing).rejects.not.toThrow(/hidden/);
    await expect(failing).rejects.toMatchObject({ exitCode: 1 });
  });

  it("a large file is no password", async () => {
    await expect(find({ file: at("large") })).rejects.toThrow(/too large/);
  });

  it("a program is ended with the command", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("interrupted")), 50);
    await expect(find({ command: "sleep 60" }, {}, controller.signal)).rejects.toThrow(
      "interrupted",
    );
  });
});
