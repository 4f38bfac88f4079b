import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { toolPath } from "./node/run-tool.ts";
import { openSecretKeeper } from "./open-secret-keeper.ts";
import { describeSecretKeeper } from "./ports/secret-keeper-contract.ts";

const base = mkdtempSync(join(tmpdir(), "backstay-secret-keeper-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let states = 0;
const newState = (): string => {
  states += 1;
  return join(base, `state-${states}`);
};
const hasSystemdCreds = process.geteuid?.() === 0 && toolPath("systemd-creds") !== undefined;

describeSecretKeeper("what this system has", async () => {
  const state = newState();
  return {
    keeper: await openSecretKeeper(state),
    reopen: async () => await openSecretKeeper(state),
  };
});

describe.runIf(hasSystemdCreds)("secrets sealed by systemd-creds", () => {
  it("are bound to the machine, and nothing of them is in their files", async () => {
    const state = newState();
    const keeper = await openSecretKeeper(state);
    expect([keeper.protection, keeper.machineBound]).toEqual(["systemd-creds", true]);
    const secret = Buffer.from("a secret that is long enough to be found");
    await keeper.write("it", secret);
    const file = readFileSync(join(state, "secrets", "it.secret"));
    const { protection, sealed } = JSON.parse(file.toString()) as Record<string, string>;
    expect(protection).toBe("systemd-creds");
    expect(Buffer.from(sealed, "base64").includes(secret)).toBe(false);
    expect(file.includes(secret.toString("base64").slice(0, 20))).toBe(false);
  });

  it("open under no other name, and not when a bit of them has changed", async () => {
    const state = newState();
    const keeper = await openSecretKeeper(state);
    await keeper.write("it", Buffer.from("secret"));
    const file = (name: string): string => join(state, "secrets", `${name}.secret`);
    copyFileSync(file("it"), file("other"));
    await expect(keeper.read("other")).rejects.toMatchObject({
      code: "SECRET_UNREADABLE",
      context: { problem: expect.stringContaining("backstay-other") as string },
    });
    const record = JSON.parse(readFileSync(file("it"), "utf8")) as { sealed: string };
    const bytes = Buffer.from(record.sealed, "base64");
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(file("it"), JSON.stringify({ ...record, sealed: bytes.toString("base64") }));
    await expect(keeper.read("it")).rejects.toMatchObject({ code: "SECRET_UNREADABLE" });
  });
});
