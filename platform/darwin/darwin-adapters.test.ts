import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  type PlayedMac,
  type PlayedOutput,
  playMac,
  recorded,
} from "../../test/other-systems/played-mac.ts";
import { NodeDurableFiles } from "../node/node-durable-files.ts";
import { SecretFiles } from "../node/secret-files.ts";
import { describeNetwork } from "../ports/network-contract.ts";
import { describePower } from "../ports/power-contract.ts";
import { describeRemovableMedia } from "../ports/removable-media-contract.ts";
import { describeSecretKeeper } from "../ports/secret-keeper-contract.ts";
import type { DarwinCommands } from "./command-output.ts";
import { KeychainSeal } from "./keychain-seal.ts";
import type { DarwinProcessCalls } from "./libsystem.ts";
import { DarwinNetwork } from "./network.ts";
import { DarwinPower } from "./power.ts";
import { DarwinProcessLimits } from "./process-limits.ts";
import { DarwinRemovableMedia } from "./removable-media.ts";
import { DarwinUserAccounts } from "./user-accounts.ts";

const base = mkdtempSync(join(tmpdir(), "backstay-mac-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const power = (mac: PlayedMac, isRoot = true): DarwinPower =>
  new DarwinPower({ commands: mac.commands, isRoot, keepAwake: async () => async () => undefined });

describePower("the macOS adapter", () => power(playMac()));
describePower("the macOS adapter without rights", () => power(playMac(), false));
describeNetwork("the macOS adapter", () => new DarwinNetwork(playMac().commands));
describeRemovableMedia("the macOS adapter", () => new DarwinRemovableMedia(playMac().commands));

describe("power of macOS", () => {
  it("takes back its own wakes before it plans one, also those of an agent that was killed", async () => {
    const mac = playMac();
    const at = new Date(2026, 10, 26, 3, 0, 0).getTime();
    expect((await power(mac).setWake(at)).available).toBe(true);
    expect(mac.lines.slice(1)).toEqual([
      "pmset schedule cancel wake 11/24/26 02:55:00 com.backstay.agent",
      "pmset schedule cancel wake 11/25/26 02:55:30 com.backstay.agent",
      "pmset schedule wake 11/26/26 03:00:00 com.backstay.agent",
    ]);
  });

  it("gives the system's reason when an action fails", async () => {
    const refused = { exitCode: 1, problem: "sleep is prevented" };
    const mac = playMac({ "pmset sleepnow": refused });
    await expect(power(mac).perform("sleep")).rejects.toMatchObject({
      code: "POWER_ACTION_FAILED",
      context: { reason: "sleep is prevented" },
    });
    await power(mac).perform("shut-down");
    expect(mac.lines).toEqual(["pmset sleepnow", "shutdown -h now"]);
  });
});

describe("the network of macOS", () => {
  it.each<[string, Record<string, PlayedOutput>, object]>([
    ["at home", {}, { vpn: false, online: true, wifiNames: ["Ann's Net : 5 GHz"] }],
    ["by a tunnel", { scutil: recorded("scutil-global-tunnel.txt") }, { vpn: true, online: true }],
    ["by a VPN", { "scutil --nc list": recorded("scutil-nc-list.txt") }, { vpn: true }],
    ["offline", { scutil: recorded("scutil-global-offline.txt") }, { online: false }],
    [
      "with names kept back",
      { "ipconfig getsummary en0": recorded("ipconfig-en0-redacted.txt") },
      { wifiNames: undefined },
    ],
  ])("%s", async (_, outputs, state) => {
    const found = await new DarwinNetwork(playMac(outputs).commands).state();
    expect(found).toMatchObject({ metered: undefined, ...state });
  });
});

describe("drives of macOS", () => {
  it("are ejected by the disk that people unplug, also below an APFS container", async () => {
    const mac = playMac();
    const media = new DarwinRemovableMedia(mac.commands);
    await media.eject("/Volumes/Ann's (old) disk/backup");
    expect(mac.lines.slice(-2)).toEqual(["diskutil unmountDisk disk4", "diskutil eject disk4"]);
    await media.eject("/Volumes/STICK on desk");
    expect(mac.lines.at(-1)).toBe("diskutil eject disk6");
  });

  it("are refused if the machine needs them or they are shares", async () => {
    const mac = playMac();
    const media = new DarwinRemovableMedia(mac.commands);
    for (const path of ["/", "/tmp", "/System/Volumes/Data/x", "/Volumes/backup"])
      await expect(media.eject(path), path).rejects.toMatchObject({ code: "EJECT_FAILED" });
    expect(mac.lines.filter((line) => /unmount|eject/.test(line))).toEqual([]);
  });

  it("say who holds them", async () => {
    const mac = playMac({
      "diskutil unmountDisk disk6": { exitCode: 1, problem: recorded("diskutil-unmount-held.txt") },
    });
    const media = new DarwinRemovableMedia(mac.commands);
    await expect(media.eject("/Volumes/STICK on desk")).rejects.toMatchObject({
      context: {
        reason: "held by /Applications/Preview.app/Contents/MacOS/Preview (process 512)",
      },
    });
    expect(mac.lines).not.toContain("diskutil eject disk6");
  });
});

describe("accounts of macOS", () => {
  it("are people whose home exists, with their folders", async () => {
    const homes = join(base, "homes");
    for (const name of ["ann", "bob"]) mkdirSync(join(homes, name), { recursive: true });
    const output = recorded("dscl-users.plist").replaceAll("HOMES", homes);
    const line = "dscl -plist . -readall /Users RecordName UniqueID NFSHomeDirectory";
    const found = await new DarwinUserAccounts(playMac({ [line]: output }).commands).list();
    expect(found.map(({ name, id }) => `${name} ${id}`)).toEqual(["ann 501", "bob 502"]);
    expect(found[0].folders.videos).toEqual([join(homes, "ann", "Movies")]);
  });
});

/** A keychain of one item, which knows the lines that `security` is given. */
function playKeychain(): { commands: DarwinCommands; inputs: string[]; lock(): void } {
  let item: string | undefined;
  let isLocked = false;
  const inputs: string[] = [];
  const commands: DarwinCommands = async (program, args, input) => {
    expect(program).toBe("security");
    expect(args.join(" ")).not.toContain(item ?? "no item");
    if (args[0] === "-i") {
      inputs.push(input ?? "");
      const added = /^add-generic-password -a (\S+) -s (\S+) -w (\S+) (\S+)\n$/.exec(input ?? "");
      // A second item of that name is refused, and the exit code is 0 all the same.
      if (!isLocked) item ??= added?.[3];
      return { exitCode: 0, stdout: "", problem: "" };
    }
    expect(args[0]).toBe("find-generic-password");
    if (item === undefined || isLocked)
      return { exitCode: 44, stdout: "", problem: "The specified item could not be found." };
    return { exitCode: 0, stdout: `${item}\n`, problem: "" };
  };
  const lock = (): void => {
    isLocked = true;
  };
  return { commands, inputs, lock };
}

let folders = 0;
function openKeeper(commands: DarwinCommands): { keeper: SecretFiles; folder: string } {
  folders += 1;
  const folder = join(base, `secrets-${folders}`);
  const files = new NodeDurableFiles();
  const sealers = [new KeychainSeal(commands)] as const;
  return { keeper: new SecretFiles({ folder, sealers, files }), folder };
}

describeSecretKeeper("the keychain", async () => {
  const { commands } = playKeychain();
  const { keeper, folder } = openKeeper(commands);
  const files = new NodeDurableFiles();
  const reopen = async (): Promise<SecretFiles> =>
    new SecretFiles({ folder, sealers: [new KeychainSeal(commands)], files });
  return { keeper, reopen };
});

describe("secrets sealed by the keychain", () => {
  it("have one key, made once, that never is an argument", async () => {
    const { commands, inputs } = playKeychain();
    const { keeper, folder } = openKeeper(commands);
    expect(await new KeychainSeal(commands).worksHere()).toBe(true);
    await keeper.write("one", Buffer.from("first"));
    await keeper.write("two", Buffer.from("second"));
    expect(inputs).toHaveLength(1);
    expect(readdirSync(folder).sort()).toEqual(["one.secret", "two.secret"]);
  });

  it("open under no other name, not changed, and not without the key", async () => {
    const { commands, lock } = playKeychain();
    const seal = new KeychainSeal(commands);
    const sealed = await seal.seal("it", Buffer.from("secret"));
    expect(Buffer.from(await seal.open("it", sealed)).toString()).toBe("secret");
    await expect(seal.open("other", sealed)).rejects.toThrow("this machine's keychain");
    const changed = Uint8Array.from(sealed);
    changed[changed.length - 1] ^= 1;
    await expect(seal.open("it", changed)).rejects.toThrow("this machine's keychain");
    lock();
    await expect(seal.open("it", sealed)).rejects.toThrow("the keychain does not give its key");
    expect(await seal.worksHere()).toBe(false);
  });
});

describe("processes of macOS", () => {
  const info = Buffer.alloc(232);
  info.writeUInt32LE(2, 4);
  info.writeBigUInt64LE(1_795_423_001n, 120);
  info.writeBigUInt64LE(42n, 128);
  info.writeBigUInt64LE(90_000_000n, 144);
  const ended = Buffer.from(info);
  ended.writeUInt32LE(5, 4);
  const calls: DarwinProcessCalls = {
    throttleDisk: () => {
      throw new Error("no such function");
    },
    taskInfo: (processId) => (processId === 1 ? undefined : processId === 2 ? ended : info),
    bootSession: () => "0C2F8F4E-5B1D-4B8E-9A51-3B1B3E6F7A10",
    uptimeMs: () => 90_000.7,
    awakeMs: () => 1,
  };
  const limits = new DarwinProcessLimits(calls);

  it("are known by the moment of their start, and how much memory they take", () => {
    expect(limits.startOf(3)).toBe("1795423001.000042");
    expect(limits.residentBytes(3)).toBe(90_000_000);
    expect([1, 2].map((gone) => limits.startOf(gone))).toEqual([undefined, undefined]);
    expect([1, 2].map((gone) => limits.residentBytes(gone))).toEqual([undefined, undefined]);
    const id = "0C2F8F4E-5B1D-4B8E-9A51-3B1B3E6F7A10";
    expect(limits.boot()).toEqual({ uptimeMs: 90_001, id });
  });
});
