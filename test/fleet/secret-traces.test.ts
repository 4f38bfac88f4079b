import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { tracesInFolder, tracesInText } from "./secret-traces.ts";

const secrets = { password: 'p4ss"word/with+odd characters', token: "bks_0123456789" };

it("finds a secret in every spelling, wherever it begins", () => {
  const { password } = secrets;
  const found = (text: string): boolean => tracesInText(secrets, "x", text).length > 0;
  expect(found(`before ${password} after`)).toBe(true);
  expect(found(JSON.stringify({ password }))).toBe(true);
  expect(found(`https://x/?q=${encodeURIComponent(password)}`)).toBe(true);
  expect(found(Buffer.from(password).toString("hex"))).toBe(true);
  for (const before of ["", "a", "ab", "abc"])
    for (const encoding of ["base64", "base64url"] as const)
      expect(found(Buffer.from(`${before}${password}xyz`).toString(encoding))).toBe(true);
  expect(found("nothing of the kind, p4ss or word")).toBe(false);
});

it("looks into every file of a folder, and says where without the secret", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "backstay-traces-"));
  try {
    mkdirSync(path.join(folder, "deep"));
    writeFileSync(path.join(folder, "deep", "log"), `\0\0${secrets.token}\0`);
    writeFileSync(path.join(folder, "kept"), secrets.token);
    const lines = tracesInFolder(secrets, folder, (file) => file === "kept");
    expect(lines).toEqual([`${path.basename(folder)}/deep/log: the token, as it is`]);
    expect(lines.join()).not.toContain(secrets.token);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
