import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startPrivateBus } from "../../test/dbus/private-bus.ts";
import { describeWithPrivateBus } from "../../test/dbus/with-private-bus.ts";
import { describeRemovableMedia } from "../ports/removable-media-contract.ts";
import { fileSystemId } from "./file-system-ids.ts";
import { LinuxRemovableMedia } from "./removable-media.ts";

const nowhere = "unix:path=/nonexistent/bus";
const isLinuxRoot = process.platform === "linux" && process.getuid?.() === 0;
const id = "2f0c6c5e-8c0e-4e37-8d53-0d7a8f6c1b11";

describeRemovableMedia("the Linux adapter", () => new LinuxRemovableMedia({ bus: nowhere }));

function commandOf(processId: number): string {
  return readFileSync(`/proc/${processId}/comm`, "utf8").trim();
}

interface Skipping {
  skip(note?: string): unknown;
}

/** What a test needs of root is checked inside it, so that the reason is shown. */
function requireRoot(context: Skipping): void {
  if (!isLinuxRoot) context.skip("only root of Linux may mount");
}

describe("a drive", () => {
  const media = new LinuxRemovableMedia({ bus: nowhere });
  let folder: string;
  let place: string;
  let loop: string;

  beforeEach((context) => {
    requireRoot(context);
    folder = mkdtempSync(join(tmpdir(), "backstay-drive-"));
    place = join(folder, "my drive");
    mkdirSync(place);
    const image = join(folder, "image");
    execFileSync("truncate", ["-s", "8M", image]);
    execFileSync("mkfs.ext4", ["-q", "-U", id, image]);
    loop = execFileSync("losetup", ["--find", "--show", image], { encoding: "utf8" }).trim();
    execFileSync("mount", [loop, place]);
  });
  afterEach(() => {
    if (!isLinuxRoot) return;
    for (const path of [join(place, "below"), join(folder, "again"), place])
      if (isMounted(path)) execFileSync("umount", [path]);
    execFileSync("losetup", ["--detach", loop]);
    rmSync(folder, { recursive: true });
  });

  const isMounted = (path: string): boolean => {
    try {
      execFileSync("mountpoint", ["-q", path]);
      return true;
    } catch {
      return false;
    }
  };

  it("is listed with its place and the id of its file system", async () => {
    const found = (await media.mounted()).filter(({ path }) => path === place);
    expect(found).toEqual([{ path: place, id, removable: false, isNetwork: false }]);
  });

  it("is unmounted from everywhere, whichever of its folders is named", async () => {
    writeFileSync(join(place, "file"), "content");
    mkdirSync(join(place, "below"));
    mkdirSync(join(folder, "again"));
    execFileSync("mount", ["--bind", place, join(folder, "again")]);
    execFileSync("mount", ["--bind", place, join(place, "below")]);
    await media.eject(join(place, "below", "file"));
    for (const path of [place, join(folder, "again")]) expect(isMounted(path)).toBe(false);
    execFileSync("mount", [loop, place]);
    expect(existsSync(join(place, "file"))).toBe(true);
  });

  it("stays where it is while somebody holds it, who is named", async () => {
    const holder = spawn("/usr/bin/sleep", ["60"], { cwd: place, stdio: "ignore" });
    await new Promise((resolve) => holder.once("spawn", resolve));
    const held = `in use by sleep (${holder.pid})`;
    await expect(media.eject(place)).rejects.toMatchObject({
      code: "EJECT_FAILED",
      context: { path: place, reason: held },
    });
    expect(isMounted(place)).toBe(true);
    const ended = new Promise((resolve) => holder.once("exit", resolve));
    holder.kill();
    await ended;
    await media.eject(place);
    expect(isMounted(place)).toBe(false);
  });

  it("is not switched off while it is mounted where this process can't see it", async () => {
    const args = ["--mount", "--propagation", "private", "/usr/bin/sleep", "60"];
    const other = spawn("unshare", args, { stdio: "ignore" });
    try {
      // By then it has its own mounts.
      await vi.waitFor(() => expect(commandOf(other.pid ?? 0)).toBe("sleep"));
      await expect(media.eject(place)).rejects.toMatchObject({
        context: { reason: `unmounted, but still in use (EBUSY on ${loop})` },
      });
      expect(isMounted(place)).toBe(false);
    } finally {
      const ended = new Promise((resolve) => other.once("exit", resolve));
      other.kill();
      await ended;
    }
  });

  it("is none where files lie in memory", async () => {
    const memory = join(folder, "again");
    mkdirSync(memory);
    execFileSync("mount", ["-t", "tmpfs", "none", memory]);
    await expect(media.eject(memory)).rejects.toMatchObject({
      context: { reason: "it lies on no drive of this machine" },
    });
    expect(isMounted(memory)).toBe(true);
  });

  it("is found by the list of ids before its disk is asked", async () => {
    const byUuid = join(folder, "by-uuid");
    mkdirSync(byUuid);
    execFileSync("ln", ["-s", loop, join(byUuid, String.raw`My\x20Disk`)]);
    expect(await fileSystemId(loop, byUuid)).toBe("My Disk");
    expect(await fileSystemId(loop, join(folder, "absent"))).toBe(id);
    expect(await fileSystemId(join(folder, "image"), byUuid)).toBe(undefined);
  });
});

describeWithPrivateBus("with udisks2", () => {
  it("locks and switches off a drive after unmounting it", async (context) => {
    requireRoot(context);
    const bus = await startPrivateBus("udisks");
    const folder = mkdtempSync(join(tmpdir(), "backstay-drive-"));
    const image = join(folder, "image");
    const place = join(folder, "place");
    const service = "org.freedesktop.UDisks2";
    const root = "/org/freedesktop/UDisks2";
    mkdirSync(place);
    execFileSync("truncate", ["-s", "8M", image]);
    execFileSync("mkfs.ext4", ["-q", image]);
    const loop = execFileSync("losetup", ["--find", "--show", image], { encoding: "utf8" }).trim();
    const record = (text: string): string => `open("${folder}/log", "a").write("${text} ")`;
    const unmount = `import subprocess; subprocess.check_call(["umount", "${place}"]); ${record("Unmount")}`;
    const named = (text: string) => Buffer.from(`${text}\0`);
    try {
      execFileSync("mount", [loop, place]);
      const block = `${root}/block_devices/it`;
      const drive = `${root}/drives/it`;
      await bus.addObject("udisks", drive, `${service}.Drive`, { CanPowerOff: ["b", true] }, [
        ["PowerOff", "a{sv}", "", record("PowerOff")],
      ]);
      await bus.addObject("udisks", block, `${service}.Block`, {
        Device: ["ay", named(loop)],
        Drive: ["o", drive],
      });
      const media = new LinuxRemovableMedia({ bus: bus.address });
      const add = async (name: string, method: string, code: string): Promise<void> => {
        const mock = { destination: service, path: block, interface: "org.freedesktop.DBus.Mock" };
        await bus.call({
          ...mock,
          member: "AddProperties",
          signature: "sa{sv}",
          body: [`${service}.${name}`, [["CleartextDevice", ["o", `${root}/block_devices/dm`]]]],
        });
        await bus.call({
          ...mock,
          member: "AddMethod",
          signature: "sssss",
          body: [`${service}.${name}`, method, "a{sv}", "", code],
        });
      };
      await add("Filesystem", "Unmount", unmount);
      await add("Encrypted", "Lock", record("Lock"));
      await media.eject(place);
      const log = execFileSync("cat", [`${folder}/log`], { encoding: "utf8" });
      expect(log).toBe("Unmount Lock PowerOff ");
    } finally {
      await bus.stop();
      execFileSync("sh", [
        "-c",
        `mountpoint -q "${place}" && umount "${place}"; losetup -d ${loop}`,
      ]);
      rmSync(folder, { recursive: true });
    }
  });
});
