import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { describeSecretKeeper } from "../ports/secret-keeper-contract.ts";
import { NodeDurableFiles } from "./node-durable-files.ts";
import { plainSealer, SecretFiles, type SecretSealer } from "./secret-files.ts";

const base = mkdtempSync(join(tmpdir(), "backstay-secrets-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let folders = 0;
const newFolder = (): string => {
  folders += 1;
  return join(base, `state-${folders}`, "secrets");
};
const keeperIn = (folder: string, sealers: [SecretSealer, ...SecretSealer[]] = [plainSealer]) =>
  new SecretFiles({ folder, sealers, files: new NodeDurableFiles() });

/** Seals by turning bytes over: another kind than none. */
const turning: SecretSealer = {
  protection: "keychain",
  machineBound: true,
  seal: async (_name, secret) => secret.map((byte) => byte ^ 0xff),
  open: async (_name, sealed) => sealed.map((byte) => byte ^ 0xff),
};

describeSecretKeeper("a folder of plain files", async () => {
  const folder = newFolder();
  return { keeper: keeperIn(folder), reopen: async () => keeperIn(folder) };
});

describe("files of secrets", () => {
  it.skipIf(process.platform === "win32")(
    "are closed to others, and so is their folder",
    async () => {
      const folder = newFolder();
      const keeper = keeperIn(folder);
      await keeper.write("it", Buffer.from("secret"));
      expect(statSync(folder).mode & 0o777).toBe(0o700);
      expect(statSync(join(folder, "it.secret")).mode & 0o777).toBe(0o600);
      chmodSync(folder, 0o755);
      await keeper.read("it");
      expect(statSync(folder).mode & 0o777).toBe(0o700);
    },
  );

  it("show nothing of what is sealed, and leave nothing else behind", async () => {
    const folder = newFolder();
    await keeperIn(folder, [turning]).write("it", Buffer.from("very secret"));
    const content = readFileSync(join(folder, "it.secret"), "utf8");
    expect(content).not.toContain("secret");
    expect(content).not.toContain(Buffer.from("very secret").toString("base64"));
    expect(readdirSync(folder)).toEqual(["it.secret"]);
  });

  it("are read by what sealed them, whatever seals now", async () => {
    const folder = newFolder();
    await keeperIn(folder).write("plain", Buffer.from("1"));
    const better = keeperIn(folder, [turning, plainSealer]);
    await better.write("sealed", Buffer.from("2"));
    expect([better.protection, better.machineBound]).toEqual(["keychain", true]);
    const fallen = keeperIn(folder, [plainSealer, turning]);
    for (const keeper of [better, fallen]) {
      expect(Buffer.from(await keeper.read("plain")).toString()).toBe("1");
      expect(Buffer.from(await keeper.read("sealed")).toString()).toBe("2");
    }
    await expect(keeperIn(folder).read("sealed")).rejects.toMatchObject({
      code: "SECRET_UNREADABLE",
      context: { problem: "it was sealed by keychain, which this machine does not have" },
    });
  });

  it("that are damaged are refused, and named, and can be replaced", async () => {
    const folder = newFolder();
    const keeper = keeperIn(folder);
    const damages = ["", "{", "null", "[]", '{"version":1}', "\0", `"${"x".repeat(300_000)}"`];
    for (const damage of [...damages, '{"version":2,"protection":"file","sealed":""}']) {
      await keeper.write("it", Buffer.from("old"));
      writeFileSync(join(folder, "it.secret"), damage);
      await expect(keeper.read("it")).rejects.toMatchObject({ code: "SECRET_UNREADABLE" });
      expect(await keeper.names()).toEqual(["it"]);
    }
    await keeper.write("it", Buffer.from("new"));
    expect(Buffer.from(await keeper.read("it")).toString()).toBe("new");
  });

  it("pass over what is none of them", async () => {
    const folder = newFolder();
    const keeper = keeperIn(folder);
    await keeper.write("it", Buffer.from("1"));
    for (const other of [
      "UPPER.secret",
      ".secret",
      "note.txt",
      "backstay_tmp_0123456789abcdef01234567",
    ])
      writeFileSync(join(folder, other), "");
    mkdirSync(join(folder, "folder.secret"));
    renameSync(join(folder, "it.secret"), join(folder, "target"));
    symlinkSync("target", join(folder, "linked.secret"));
    await expect(keeper.read("linked")).rejects.toMatchObject({ code: "SECRET_UNREADABLE" });
    await expect(keeper.read("folder")).rejects.toMatchObject({ code: "SECRET_UNREADABLE" });
  });

  it.runIf(process.geteuid?.() === 0)("are not kept where somebody else rules", async () => {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    chownSync(folder, 12_345, 12_345);
    const keeper = keeperIn(folder);
    const refused = { code: "SECRET_PLACE", context: { folder } };
    await expect(keeper.write("it", Buffer.from("1"))).rejects.toMatchObject(refused);
    await expect(keeper.names()).rejects.toMatchObject(refused);
    await expect(keeper.read("it")).rejects.toMatchObject(refused);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("say where they can't be written", async () => {
    const file = join(base, "a-file");
    writeFileSync(file, "");
    await expect(
      keeperIn(join(file, "secrets")).write("it", Uint8Array.of(1)),
    ).rejects.toMatchObject({
      code: "SECRET_PLACE",
      context: { problem: "ENOTDIR" },
    });
  });
});
