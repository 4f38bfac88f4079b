import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { NodeDurableFiles } from "../node/node-durable-files.ts";
import { SecretFiles } from "../node/secret-files.ts";
import { describeSecretKeeper } from "../ports/secret-keeper-contract.ts";
import type { DataProtection } from "./crypt32.ts";
import { DataProtectionSeal } from "./data-protection-seal.ts";
import { WindowsError } from "./windows-calls.ts";

const base = mkdtempSync(join(tmpdir(), "backstay-dpapi-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let folders = 0;

const digest = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

/** Opens only what was sealed with the same entropy, as Windows does. */
const played: DataProtection = {
  protect: (data, entropy) => Buffer.concat([digest(entropy), data.map((byte) => byte ^ 0x55)]),
  unprotect: (sealed, entropy) => {
    if (Buffer.compare(sealed.subarray(0, 32), digest(entropy)) !== 0)
      throw new WindowsError("CryptUnprotectData", 13);
    return sealed.subarray(32).map((byte) => byte ^ 0x55);
  },
};

function open(
  folder: string,
  setFileSecurity: (path: string, descriptor: string, parts: number) => void,
): { keeper: SecretFiles; seal: DataProtectionSeal } {
  const files = new NodeDurableFiles();
  const security = { setFileSecurity };
  const seal = new DataProtectionSeal({ folder, files, protection: played, security });
  return { keeper: new SecretFiles({ folder, sealers: [seal], files }), seal };
}

function newFolder(): string {
  folders += 1;
  return join(base, `secrets-${folders}`);
}

describeSecretKeeper("DPAPI", async () => {
  const folder = newFolder();
  return {
    keeper: open(folder, () => undefined).keeper,
    reopen: async () => open(folder, () => undefined).keeper,
  };
});

describe("secrets sealed by DPAPI", () => {
  it("close the folder to others before the first one is written, and only then", async () => {
    const calls: string[] = [];
    const folder = newFolder();
    const { keeper } = open(folder, (path, descriptor, parts) => {
      calls.push(`${path} ${descriptor} ${(parts >>> 0).toString(16)}`);
    });
    await keeper.write("it", Buffer.from("secret"));
    await keeper.write("other", Buffer.from("secret"));
    expect(calls).toEqual([`${folder} O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA) 80000005`]);
  });

  it("leave the folder to its owner, too, where that is no administrator", async () => {
    const descriptors: string[] = [];
    const { keeper } = open(newFolder(), (_path, descriptor) => {
      descriptors.push(descriptor);
      if (descriptor.startsWith("O:")) throw new WindowsError("SetFileSecurityW", 1307);
    });
    await keeper.write("it", Buffer.from("secret"));
    expect(descriptors[1]).toBe("D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)");
  });

  it("are not written into a folder that can't be closed", async () => {
    const { keeper } = open(newFolder(), () => {
      throw new WindowsError("SetFileSecurityW", 5);
    });
    await expect(keeper.write("it", Buffer.from("secret"))).rejects.toMatchObject({
      code: "SECRET_PLACE",
      context: { problem: "SetFileSecurityW: access denied (error 5)" },
    });
    expect(await keeper.names()).toEqual([]);
  });

  it("open under no other name, and not without the file of entropy", async () => {
    const folder = newFolder();
    const { keeper, seal } = open(folder, () => undefined);
    await keeper.write("it", Buffer.from("secret"));
    const sealed = await seal.seal("it", Buffer.from("secret"));
    await expect(seal.open("other", sealed)).rejects.toThrow("CryptUnprotectData: error 13");
    await rm(join(folder, "entropy"));
    await expect(keeper.read("it")).rejects.toMatchObject({
      code: "SECRET_UNREADABLE",
      context: { problem: "the file entropy beside it is missing" },
    });
  });

  it("are tried out first", () => {
    expect(open(newFolder(), () => undefined).seal.worksHere()).toBe(true);
    // Without Windows there is nothing to try.
    const files = new NodeDurableFiles();
    const real = new DataProtectionSeal({ folder: newFolder(), files });
    expect(real.worksHere()).toBe(process.platform === "win32");
  });
});
