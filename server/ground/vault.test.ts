import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { readMasterKey, readOrMakeMasterKey } from "./master-key.ts";
import { openVault } from "./vault.ts";

const secret = Buffer.from("a secret of a repository");
const unreadable = (error: unknown): boolean => isBackstayError(error, "VAULT_UNREADABLE");

describe("the vault", () => {
  const key = randomBytes(32);
  const vault = openVault(key);

  it("opens what it sealed, also after a restart, and never seals the same twice", () => {
    const sealed = vault.seal(secret, "secret x");
    expect(Buffer.from(openVault(key).open(sealed, "secret x"))).toEqual(secret);
    expect(vault.seal(secret, "secret x")).not.toBe(sealed);
    expect(Buffer.from(vault.open(vault.seal(new Uint8Array(), "c"), "c"))).toHaveLength(0);
  });

  it("refuses another key, another context, and every changed byte", () => {
    const sealed = vault.seal(secret, "secret x");
    expect(() => vault.open(sealed, "secret y")).toThrowError(expect.toSatisfy(unreadable));
    expect(() => openVault(randomBytes(32)).open(sealed, "secret x")).toThrow();
    const bytes = Buffer.from(sealed.slice(3), "base64url");
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const text = `v1.${changed.toString("base64url")}`;
      expect(() => vault.open(text, "secret x")).toThrowError(expect.toSatisfy(unreadable));
    }
    for (const text of ["", "v1.", "v2.AAAA", "v1.AAAA"])
      expect(() => vault.open(text, "c")).toThrowError(expect.toSatisfy(unreadable));
  });

  it("derives one key for each purpose", () => {
    expect(vault.derive("a")).toHaveLength(32);
    expect(openVault(key).derive("a")).toEqual(vault.derive("a"));
    expect(vault.derive("b")).not.toEqual(vault.derive("a"));
    expect(openVault(randomBytes(32)).derive("a")).not.toEqual(vault.derive("a"));
  });
});

describe("the master key", () => {
  let folder = "";
  const { signal } = new AbortController();
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), "backstay-master-key-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("is made once, for its owner only, and is the same for everybody who starts at once", async () => {
    const file = path.join(folder, "made.key");
    const keys = await Promise.all(
      [1, 2, 3].map(async () => await readOrMakeMasterKey(file, signal)),
    );
    expect(new Set(keys.map((key) => Buffer.from(key).toString("hex"))).size).toBe(1);
    expect(await readMasterKey(file)).toEqual(keys[0]);
    if (process.platform !== "win32") expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it("is never replaced if its file holds something else", async () => {
    const file = path.join(folder, "other.key");
    writeFileSync(file, "too short");
    await expect(readOrMakeMasterKey(file, signal)).rejects.toSatisfy((error) =>
      isBackstayError(error, "VAULT_KEY"),
    );
    expect(readFileSync(file, "utf8")).toBe("too short");
    await expect(readMasterKey(path.join(folder, "none"))).rejects.toSatisfy((error) =>
      isBackstayError(error, "VAULT_KEY"),
    );
  });
});
