import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PrivateBus, startPrivateBus } from "../../test/dbus/private-bus.ts";
import { describeWithPrivateBus } from "../../test/dbus/with-private-bus.ts";
import type { SystemEvent } from "../ports/system-events.ts";
import { describeSystemEvents } from "../ports/system-events-contract.ts";
import { LinuxSystemEvents } from "./system-events.ts";

const waitMs = 10_000;
const isLinuxRoot = process.platform === "linux" && process.getuid?.() === 0;

describeWithPrivateBus("on a bus", () => {
  describeSystemEvents("the Linux adapter", async () => {
    const bus = await startPrivateBus("logind", "upower", "networkManager");
    const folder = mkdtempSync(join(tmpdir(), "backstay-events-"));
    const localtime = join(folder, "localtime");
    symlinkSync("Etc/UTC", localtime);
    const causes: { readonly [kind in SystemEvent["kind"]]?: () => Promise<void> } = {
      "log-on": () => bus.addSession("c1", "anna"),
      lock: () => bus.setLocked("c1", true),
      unlock: () => bus.setLocked("c1", false),
      "log-off": () => bus.removeSession("c1"),
      sleep: () => bus.prepareForSleep(true),
      resume: () => bus.prepareForSleep(false),
      shutdown: () => bus.prepareForShutdown(true),
      "network-change": () => bus.setMetered(1),
      "power-change": () =>
        bus.setProperties("upower", "/org/freedesktop/UPower", "org.freedesktop.UPower", {
          OnBattery: ["b", true],
        }),
      "time-change": async () => {
        unlinkSync(localtime);
        symlinkSync("Asia/Tokyo", localtime);
        await Promise.resolve();
      },
    };
    return {
      events: new LinuxSystemEvents({ bus: bus.address, sysfs: folder, localtime, tickMs: 100 }),
      cause: async (kind) => await causes[kind]?.(),
      end: async () => {
        await bus.stop();
        rmSync(folder, { recursive: true });
      },
    };
  }, [
    ...(["log-on", "lock", "unlock", "log-off", "sleep", "resume", "shutdown"] as const),
    ...(["network-change", "power-change", "time-change"] as const),
  ]);

  describe("sessions", () => {
    let bus: PrivateBus;
    let events: LinuxSystemEvents;
    let emitted: string[];
    const start = async (): Promise<void> => {
      await events.start((event) => {
        if ("session" in event) emitted.push(`${event.kind} ${event.session} ${event.user ?? ""}`);
        else if (event.kind === "shutdown") emitted.push(event.kind);
      });
    };
    /** What was emitted up to a log-on that this makes, which is left out. */
    const settled = async (): Promise<string[]> => {
      await bus.addSession("last", "zoe");
      await vi.waitFor(() => expect(emitted).toContain("log-on last zoe"), waitMs);
      return emitted.filter((each) => !each.includes("last"));
    };

    beforeEach(async () => {
      emitted = [];
      bus = await startPrivateBus("logind");
      events = new LinuxSystemEvents({ bus: bus.address });
    });
    afterEach(async () => {
      await events.stop();
      await bus.stop();
    });

    it("that are there at the start are no log-on, but their locks count", async () => {
      await bus.addSession("c1", "anna");
      await bus.addSession("c2", "ben");
      await bus.setLocked("c2", true);
      await start();
      expect(await events.isLocked()).toBe(true);
      await bus.setLocked("c2", false);
      await bus.setLocked("c1", true);
      await bus.setLocked("c1", false);
      expect(await settled()).toEqual(["unlock c2 ben", "lock c1 anna", "unlock c1 anna"]);
      expect(await events.isLocked()).toBe(false);
    });

    it("of greeters and services are nobody's", async () => {
      await bus.addSession("g1", "gdm", "greeter");
      await start();
      await bus.addSession("m1", "anna", "manager");
      await bus.setLocked("g1", true);
      await bus.setLocked("m1", true);
      await bus.removeSession("m1");
      expect(await settled()).toEqual([]);
    });

    it("are locked once by a request and the state that follows, and by a request alone", async () => {
      await bus.addSession("c1", "anna");
      await bus.addSession("c2", "ben");
      await start();
      await bus.requestLock("c1", true);
      await bus.setLocked("c1", true);
      await bus.requestLock("c1", true);
      await bus.requestLock("c1", false);
      await bus.setLocked("c1", false);
      await bus.requestLock("c2", true);
      await bus.requestLock("c2", false);
      expect(await settled()).toEqual([
        "lock c1 anna",
        "unlock c1 anna",
        "lock c2 ben",
        "unlock c2 ben",
      ]);
    });

    it("are not made up by other programs on the bus", async () => {
      await bus.addSession("c1", "anna");
      await start();
      const [names] = await bus.call({
        destination: "org.freedesktop.DBus",
        path: "/org/freedesktop/DBus",
        interface: "org.freedesktop.DBus",
        member: "ListNames",
      });
      const receivers = (names as string[]).filter((name) => name.startsWith(":"));
      expect(receivers.length).toBeGreaterThan(1);
      const signal = [
        "/org/freedesktop/login1",
        "org.freedesktop.login1.Manager.PrepareForShutdown",
      ];
      // To everybody, and then to each by name, which no match rule keeps out.
      for (const to of [[], ...receivers.map((name) => [`--dest=${name}`])])
        execFileSync("dbus-send", ["--system", "--type=signal", ...to, ...signal, "boolean:true"], {
          env: { ...process.env, ...bus.environment },
        });
      expect(await settled()).toEqual([]);
    });

    it("that changed while logind was away are told when it is back", async () => {
      await bus.addSession("c1", "anna");
      await bus.addSession("c2", "ben");
      await start();
      await bus.stopService("logind");
      await vi.waitFor(async () => expect(await events.isLocked()).toBe(undefined), waitMs);
      await bus.startService("logind");
      await vi.waitFor(() => expect(emitted).toContain("log-off c2 ben"), waitMs);
      expect(await settled()).toEqual(["log-off c1 anna", "log-off c2 ben"]);
    });

    it("are listened to again after the bus itself went away", async () => {
      await start();
      await bus.stopDaemon();
      await vi.waitFor(async () => expect(await events.isLocked()).toBe(undefined), waitMs);
      await bus.start("logind");
      await vi.waitFor(async () => expect(await events.isLocked()).toBe(false), waitMs);
      await bus.addSession("c1", "anna");
      await bus.setLocked("c1", true);
      expect(await settled()).toEqual(["log-on c1 anna", "lock c1 anna"]);
    });
  });
});

describeWithPrivateBus("with udisks2", () => {
  it("looks for mounts as soon as it speaks of drives", async (context) => {
    if (!isLinuxRoot) context.skip("only root of Linux may mount");
    const bus = await startPrivateBus("udisks");
    const folder = mkdtempSync(join(tmpdir(), "backstay-events-"));
    const events = new LinuxSystemEvents({ bus: bus.address, tickMs: 1_000_000 });
    const emitted: SystemEvent[] = [];
    const kinds = (): string[] =>
      emitted.flatMap((event) => ("path" in event && event.path === folder ? [event.kind] : []));
    const drive = "/org/freedesktop/UDisks2/block_devices/sdz1";
    try {
      await events.start((event) => emitted.push(event));
      await bus.addObject("udisks", drive, "org.freedesktop.UDisks2.Filesystem", {
        MountPoints: ["aay", []],
      });
      execFileSync("mount", ["-t", "tmpfs", "none", folder]);
      await bus.setProperties("udisks", drive, "org.freedesktop.UDisks2.Filesystem", {
        MountPoints: ["aay", [Buffer.from(`${folder}\0`)]],
      });
      await vi.waitFor(() => expect(kinds()).toEqual(["mounted"]), waitMs);
      execFileSync("umount", [folder]);
      await bus.emit(
        "udisks",
        "/org/freedesktop/UDisks2",
        "org.freedesktop.DBus.ObjectManager",
        "InterfacesRemoved",
        ["o", drive],
        ["as", ["org.freedesktop.UDisks2.Filesystem"]],
      );
      await vi.waitFor(() => expect(kinds()).toEqual(["mounted", "unmounted"]), waitMs);
    } finally {
      await events.stop();
      await bus.stop();
      rmSync(folder, { recursive: true });
    }
  });
});

describeWithPrivateBus("without a bus", () => {
  it("starts at once, says what is missing, and comes up when the bus does", async () => {
    const bus = new PrivateBus(mkdtempSync(join(tmpdir(), "backstay-bus-")));
    const events = new LinuxSystemEvents({ bus: bus.address });
    const emitted: SystemEvent[] = [];
    try {
      const probes = await events.start((event) => emitted.push(event));
      expect(probes.get("sessions")).toEqual({
        available: false,
        reason: "there is no system bus",
      });
      expect(probes.get("sleep")?.available).toBe(true);
      expect(probes.get("mounts")?.available).toBe(true);
      expect(await events.isLocked()).toBe(undefined);
      await bus.start("logind");
      await vi.waitFor(async () => expect(await events.isLocked()).toBe(false), waitMs);
      await bus.prepareForSleep(true);
      await vi.waitFor(() => expect(emitted).toEqual([{ kind: "sleep" }]), waitMs);
    } finally {
      await events.stop();
      await bus.stop();
    }
  });
});

describe("mounts", () => {
  it("are told with the id of their file system, and when they go", async (context) => {
    if (!isLinuxRoot) context.skip("only root of Linux may mount");
    const folder = mkdtempSync(join(tmpdir(), "backstay-events-"));
    const image = join(folder, "image");
    const place = join(folder, "a place");
    const events = new LinuxSystemEvents({ bus: `unix:path=${folder}/none`, tickMs: 100 });
    const emitted: SystemEvent[] = [];
    const mine = (): SystemEvent[] =>
      emitted.filter((event) => "path" in event && event.path === place);
    try {
      mkdirSync(place);
      execFileSync("truncate", ["-s", "8M", image]);
      const id = "6c3c2f1e-0d47-4a5e-9f3a-5b1e6f6a7c01";
      execFileSync("mkfs.ext4", ["-q", "-U", id, image]);
      await events.start((event) => emitted.push(event));
      execFileSync("mount", ["-o", "loop", image, place]);
      await vi.waitFor(() => expect(mine()).toHaveLength(1), waitMs);
      execFileSync("umount", [place]);
      await vi.waitFor(() => expect(mine()).toHaveLength(2), waitMs);
      expect(mine()).toEqual([
        { kind: "mounted", path: place, fileSystemId: id },
        { kind: "unmounted", path: place, fileSystemId: id },
      ]);
    } finally {
      await events.stop();
      rmSync(folder, { recursive: true });
    }
  });
});
