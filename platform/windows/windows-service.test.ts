import { describe, expect, it } from "vitest";
import type { ServiceRequest } from "../ports/service-control.ts";
import type { ServiceCalls, ServiceStatus } from "./advapi32-services.ts";
import { decodeServiceCall, type ServiceCall, serviceDataBytes } from "./service-controls.ts";
import { WindowsService } from "./windows-service.ts";

/** A service control manager that remembers what it was told, such as `running` or `stopping 1 5000`. */
class PlayedManager implements ServiceCalls {
  readonly told: string[] = [];
  readonly accepted: number[] = [];
  #begun: (() => void) | undefined;
  #handler: ((call: ServiceCall) => void) | undefined;

  dispatch(begun: () => void): Promise<number> {
    this.#begun = begun;
    return new Promise(() => undefined);
  }

  /** The manager calls the service's main function, on its own time. */
  begin(): void {
    this.#begun?.();
  }

  registerHandler(handler: (call: ServiceCall) => void): number {
    this.#handler = handler;
    return 7;
  }

  setStatus(_service: unknown, { state, accepted, checkPoint, waitHintMs }: ServiceStatus): void {
    const names = ["", "stopped", "starting", "stopping", "running"];
    const isPending = state === 2 || state === 3;
    this.told.push(isPending ? `${names[state]} ${checkPoint} ${waitHintMs}` : names[state]);
    this.accepted.push(accepted);
  }

  watchDevices(): void {
    throw new Error("not supported");
  }

  send(control: number, eventType = 0, data: Uint8Array = new Uint8Array(0)): void {
    this.#handler?.({ control, eventType, data });
  }
}

const aMoment = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));

describe("a service of Windows", () => {
  it("tells its states in order, each wish once, and nothing after its end", async () => {
    const manager = new PlayedManager();
    const service = new WindowsService(manager);
    const wishes: ServiceRequest[] = [];
    service.onRequest((request) => wishes.push(request));
    manager.begin();
    service.ready();
    manager.send(6);
    manager.send(4);
    manager.send(1);
    expect(wishes).toEqual([]);
    await aMoment();
    expect(wishes).toEqual(["reload", "stop"]);
    service.stopping(1500.2);
    service.stopping(2500);
    service.stopped();
    service.stopped();
    service.stopping(1);
    expect(manager.told).toEqual([
      "starting 1 120000",
      "running",
      "stopping 1 120000",
      "stopping 2 1501",
      "stopping 3 2500",
      "stopped",
    ]);
    expect(manager.accepted.at(-1)).toBe(0);
  });

  it("tells at once what it is when the manager comes late", () => {
    const manager = new PlayedManager();
    const service = new WindowsService(manager);
    service.ready();
    manager.begin();
    expect(manager.told).toEqual(["running"]);
  });

  it("passes on what happens to the machine, and takes a shutdown for a wish to stop", async () => {
    const manager = new PlayedManager();
    const service = new WindowsService(manager);
    manager.begin();
    const heard: unknown[] = [];
    const wishes: ServiceRequest[] = [];
    service.onRequest((request) => wishes.push(request));
    const end = service.listen((notice) => heard.push(notice));
    manager.send(0xe, 7, Buffer.from("0800000003000000", "hex"));
    manager.send(0xd, 4);
    manager.send(0xf);
    await aMoment();
    end();
    manager.send(0x10);
    await aMoment();
    expect(heard).toEqual([
      { kind: "session", change: "lock", session: 3 },
      { kind: "power", change: "sleep" },
      { kind: "shutdown" },
    ]);
    expect(wishes).toEqual(["stop"]);
  });
});

describe("calls of the service control manager", () => {
  it.each([
    [0xe, 5, { kind: "session", change: "log-on", session: 2 }],
    [0xe, 6, { kind: "session", change: "log-off", session: 2 }],
    [0xe, 7, { kind: "session", change: "lock", session: 2 }],
    [0xe, 8, { kind: "session", change: "unlock", session: 2 }],
    [0xe, 1, undefined],
    [0xd, 4, { kind: "power", change: "sleep" }],
    [0xd, 7, { kind: "power", change: "resume" }],
    [0xd, 0x12, { kind: "power", change: "resume" }],
    [0xd, 0xa, { kind: "power", change: "supply" }],
    [0xd, 0x8013, { kind: "power", change: "supply" }],
    [0xd, 99, undefined],
    [0xb, 0x8000, { kind: "devices" }],
    [0xb, 0x8004, { kind: "devices" }],
    [0xb, 0x8001, undefined],
    [1, 0, { kind: "stop" }],
    [5, 0, { kind: "shutdown" }],
    [0xf, 0, { kind: "shutdown" }],
    [6, 0, { kind: "reload" }],
    [0x10, 0, { kind: "time" }],
    [4, 0, undefined],
    [200, 0, undefined],
  ])("%i with event %i", (control, eventType, notice) => {
    const data = Buffer.from("0800000002000000", "hex").subarray(0, serviceDataBytes(control));
    expect(decodeServiceCall({ control, eventType, data })).toEqual(notice);
  });

  it("are left alone if what belongs to them is missing", () => {
    const data = new Uint8Array(0);
    expect(decodeServiceCall({ control: 0xe, eventType: 7, data })).toBe(undefined);
  });
});
