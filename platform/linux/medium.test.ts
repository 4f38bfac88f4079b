import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { DiskKind } from "./block-device.ts";
import { EntryCalls } from "./entry-calls.ts";
import { type MediumSources, mediumOf } from "./medium.ts";
import { readMounts } from "./mount-table.ts";
import { statxDevice, statxMountId } from "./stat-decoder.ts";

const entries = new EntryCalls();
const path = Buffer.from(import.meta.dirname);

/** As if this folder were on a mount of the given type, on a device of the given kind. */
function mountedAs(type: string, device: string, disk: DiskKind = "unknown"): MediumSources {
  entries.askEntry(-100, path, path);
  const id = statxMountId(entries.statx) ?? -1;
  const ownDevice = statxDevice(entries.statx);
  const mount = { id, device, type, mountPoint: Buffer.from("/"), source: "/dev/null" };
  const decoy = { ...mount, id: id + 1_000_000, type: "proc", device: `1${ownDevice}` };
  return {
    mounts: [decoy, mount, decoy],
    diskKind: (asked) => (asked === device ? disk : "unknown"),
  };
}

describe.runIf(process.platform === "linux")("mediumOf", () => {
  it.each([
    ["nfs4", "0:50", { kind: "network", readers: 8 }],
    ["cifs", "0:50", { kind: "network", readers: 8 }],
    ["fuse.sshfs", "0:50", { kind: "network", readers: 8 }],
    ["9p", "0:50", { kind: "network", readers: 8 }],
    ["proc", "0:4", { kind: "pseudo", readers: 1 }],
    ["cgroup2", "0:4", { kind: "pseudo", readers: 1 }],
    ["autofs", "0:4", { kind: "pseudo", readers: 1 }],
    ["tmpfs", "0:4", { kind: "solid", readers: 4 }],
    ["overlay", "0:4", { kind: "unknown", readers: 4 }],
    ["zfs", "0:4", { kind: "unknown", readers: 4 }],
  ])("knows %s by its type", (type, device, medium) => {
    expect(mediumOf(path, entries, mountedAs(type, device))).toEqual(medium);
  });

  it.each([
    ["rotating", 1],
    ["solid", 4],
    ["network", 8],
    ["unknown", 4],
  ] as const)("reads a disk that is %s with as many readers as it likes", (disk, readers) => {
    const medium = mediumOf(path, entries, mountedAs("ext4", "8:1", disk));
    expect(medium).toEqual({ kind: disk, readers });
  });

  it("knows nothing of a path whose mount is not listed", () => {
    const sources = { mounts: [], diskKind: (): DiskKind => "solid" };
    expect(mediumOf(path, entries, sources)).toEqual({ kind: "unknown", readers: 4 });
  });

  it("tells the running system's own file systems apart", () => {
    expect(mediumOf(Buffer.from("/proc/self/status"), entries).kind).toBe("pseudo");
    expect(mediumOf(path, entries).kind).not.toBe("pseudo");
  });

  it.runIf(existsSync("/sys/kernel") && readMounts().some(({ type }) => type === "sysfs"))(
    "calls sysfs pseudo",
    () => {
      expect(mediumOf(Buffer.from("/sys/kernel"), entries).kind).toBe("pseudo");
    },
  );
});
