import { describe, expect, it, vi } from "vitest";
import type { UserSession } from "../node/session-list.ts";
import type { MountedFileSystem } from "../ports/removable-media.ts";
import type { SystemEvent } from "../ports/system-events.ts";
import { describeSystemEvents } from "../ports/system-events-contract.ts";
import { decodeServiceCall, type ServiceNotice } from "./service-controls.ts";
import { type NoticeSource, WindowsSystemEvents } from "./system-events.ts";

const stick: MountedFileSystem = {
  path: "E:\\",
  id: "1A2B-3C4D",
  removable: true,
  isNetwork: false,
};

/** A machine whose facts change as told, with or without a service manager. */
class PlayedMachine {
  sessionList: readonly UserSession[] = [{ session: "1", user: "ann", isLocked: false }];
  driveList: readonly MountedFileSystem[] = [];
  zone = "W. Europe Standard Time";
  addressText = "eth0 10.0.0.2/24";
  powerText = "mains";
  sleptMs = 0;
  setMs = 0;
  readonly listeners = new Set<(notice: ServiceNotice) => void>();
  readonly service: NoticeSource | undefined;

  constructor(isService: boolean) {
    const listen = (listener: (notice: ServiceNotice) => void): (() => void) => {
      this.listeners.add(listener);
      return () => this.listeners.delete(listener);
    };
    this.service = isService ? { listen } : undefined;
  }

  readonly sessions = async (): Promise<readonly UserSession[]> => this.sessionList;
  readonly drives = async (): Promise<readonly MountedFileSystem[]> => this.driveList;
  readonly timeZone = (): string => this.zone;
  readonly addresses = (): string => this.addressText;
  readonly power = async (): Promise<string> => this.powerText;
  readonly clocks = (): { wallMs: number; awakeMs: number; bootMs: number } => {
    const awakeMs = performance.now();
    const bootMs = awakeMs + this.sleptMs;
    return { wallMs: 1.8e12 + bootMs + this.setMs, awakeMs, bootMs };
  };

  /** Calls the service's handler, as Windows does. */
  tell(control: number, eventType = 0, session = 0): void {
    const data = Buffer.alloc(8);
    data.writeUInt32LE(8, 0);
    data.writeUInt32LE(session, 4);
    const notice = decodeServiceCall({ control, eventType, data });
    if (notice !== undefined) for (const listener of this.listeners) listener(notice);
  }
}

async function cause(machine: PlayedMachine, kind: SystemEvent["kind"]): Promise<void> {
  const isService = machine.service !== undefined;
  if (kind === "lock" && isService) return machine.tell(0xe, 7, 1);
  if (kind === "unlock" && isService) return machine.tell(0xe, 8, 1);
  if (kind === "lock" || kind === "unlock")
    machine.sessionList = [{ session: "1", user: "ann", isLocked: kind === "lock" }];
  if (kind === "log-on") {
    machine.sessionList = [
      ...machine.sessionList,
      { session: "2", user: "bob", isLocked: undefined },
    ];
    machine.tell(0xe, 5, 2);
  }
  if (kind === "log-off") {
    machine.tell(0xe, 6, 2);
    machine.sessionList = machine.sessionList.filter(({ session }) => session !== "2");
  }
  if (kind === "mounted" || kind === "unmounted") {
    machine.driveList = kind === "mounted" ? [stick] : [];
    machine.tell(0xb, kind === "mounted" ? 0x8000 : 0x8004);
  }
  if (kind === "sleep") machine.tell(0xd, 4);
  if (kind === "resume") {
    machine.sleptMs += 3_600_000;
    for (const type of [0x12, 7]) machine.tell(0xd, type);
  }
  if (kind === "shutdown") machine.tell(0xf);
  if (kind === "network-change") machine.addressText += "\nwlan0 192.168.1.7/24";
  if (kind === "power-change") {
    machine.powerText += ", battery";
    machine.tell(0xd, 0xa);
  }
  if (kind === "time-change") {
    machine.setMs += 7_200_000;
    machine.tell(0x10);
  }
}

const tickMs = 5;
const seen: readonly SystemEvent["kind"][] = [
  "lock",
  "unlock",
  "log-on",
  "log-off",
  "mounted",
  "unmounted",
  "network-change",
  "power-change",
  "time-change",
];

describeSystemEvents("the Windows adapter in a service", async () => {
  const machine = new PlayedMachine(true);
  return {
    events: new WindowsSystemEvents({ machine, service: machine.service, tickMs }),
    cause: async (kind) => await cause(machine, kind),
    end: async () => undefined,
  };
}, [...seen, "sleep", "resume", "shutdown"]);

describeSystemEvents("the Windows adapter outside a service", async () => {
  const machine = new PlayedMachine(false);
  return {
    events: new WindowsSystemEvents({ machine, service: machine.service, tickMs }),
    cause: async (kind) => await cause(machine, kind),
    end: async () => undefined,
  };
}, [...seen, "resume"]);

describe("the Windows adapter", () => {
  it("does not take a session that is listed too long for a new one", async () => {
    const machine = new PlayedMachine(true);
    const events = new WindowsSystemEvents({ machine, service: machine.service, tickMs });
    const kinds: string[] = [];
    await events.start(({ kind }) => kinds.push(kind));
    machine.tell(0xe, 6, 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    machine.sessionList = [];
    await new Promise((resolve) => setTimeout(resolve, 100));
    machine.sessionList = [{ session: "1", user: "cid", isLocked: undefined }];
    await vi.waitFor(() => expect(kinds).toEqual(["log-off", "log-on"]));
    await events.stop();
  });

  it("names the file system, and takes a changed medium for another one", async () => {
    const machine = new PlayedMachine(false);
    machine.driveList = [stick];
    const events = new WindowsSystemEvents({ machine, service: machine.service, tickMs });
    const told: SystemEvent[] = [];
    await events.start((event) => told.push(event));
    machine.driveList = [{ ...stick, id: "0000-0001" }];
    await vi.waitFor(() =>
      expect(told).toEqual([
        { kind: "unmounted", path: "E:\\", fileSystemId: "1A2B-3C4D" },
        { kind: "mounted", path: "E:\\", fileSystemId: "0000-0001" },
      ]),
    );
    await events.stop();
  });

  it("goes on when Windows tells of no sessions", async () => {
    const machine = new PlayedMachine(false);
    Object.assign(machine, {
      sessions: async () => {
        throw new Error("WTSEnumerateSessionsW: access denied (error 5)");
      },
    });
    const events = new WindowsSystemEvents({ machine, service: machine.service, tickMs });
    const probes = await events.start(() => undefined);
    expect(probes.get("sessions")).toEqual({
      available: false,
      reason: "WTSEnumerateSessionsW: access denied (error 5)",
    });
    expect(await events.isLocked()).toBe(undefined);
    await events.stop();
  });
});
