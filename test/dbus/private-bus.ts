/**
 * A system bus of one's own: a real dbus-daemon, on it logind, UPower and NetworkManager as played by python3-dbusmock. What
 * connects to its address meets real messages; the machine's own bus and services are not touched.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type DbusCall, withBus } from "../../platform/linux/dbus-connection.ts";

const daemonProgram = "/usr/bin/dbus-daemon";
const pythonProgram = "/usr/bin/python3";
const mockPackage = "/usr/lib/python3/dist-packages/dbusmock/__main__.py";
const startMsMax = 15_000;
const mockInterface = "org.freedesktop.DBus.Mock";

/** The services that can be played; `udisks` has no objects until a test adds some. */
export type PlayedService = "logind" | "upower" | "networkManager" | "udisks";

interface Played {
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
}

const played: Readonly<Record<PlayedService, Played>> = {
  logind: {
    name: "org.freedesktop.login1",
    path: "/org/freedesktop/login1",
    args: ["--template", "logind"],
  },
  upower: {
    name: "org.freedesktop.UPower",
    path: "/org/freedesktop/UPower",
    args: ["--template", "upower"],
  },
  networkManager: {
    name: "org.freedesktop.NetworkManager",
    path: "/org/freedesktop",
    args: ["--template", "networkmanager"],
  },
  udisks: {
    name: "org.freedesktop.UDisks2",
    path: "/org/freedesktop/UDisks2",
    args: [
      ...["--is-object-manager", "org.freedesktop.UDisks2"],
      ...["/org/freedesktop/UDisks2", "org.freedesktop.UDisks2.Manager"],
    ],
  },
};

/** A value with its D-Bus type, for a property or an argument of the type variant. */
type Typed = readonly [type: string, value: unknown];

/** Why there can be no private bus on this machine; undefined if there can. */
export function privateBusProblem(): string | undefined {
  if (!existsSync(daemonProgram)) return "dbus-daemon is not installed";
  if (!existsSync(mockPackage)) return "python3-dbusmock is not installed";
  return undefined;
}

/** Starts a bus and the services, and resolves when all of them answer. Whoever starts it stops it. */
export async function startPrivateBus(...services: readonly PlayedService[]): Promise<PrivateBus> {
  const bus = new PrivateBus(await mkdtemp(join(tmpdir(), "backstay-bus-")));
  try {
    await bus.start(...services);
    return bus;
  } catch (error) {
    await bus.stop();
    throw error;
  }
}

export class PrivateBus {
  readonly #folder: string;
  #daemon: ChildProcess | undefined;
  readonly #mocks = new Map<PlayedService, ChildProcess>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** For clients: a D-Bus address. */
  get address(): string {
    return `unix:path=${this.#folder}/bus`;
  }

  /** What a process needs in its environment to take this for the system bus. */
  get environment(): Readonly<Record<string, string>> {
    return { DBUS_SYSTEM_BUS_ADDRESS: this.address };
  }

  /** Starts the bus, again after `stopDaemon`, and the services on it. */
  async start(...services: readonly PlayedService[]): Promise<void> {
    const config = join(this.#folder, "bus.conf");
    await writeFile(config, configuration(this.address));
    await rm(join(this.#folder, "bus"), { force: true });
    this.#daemon = spawn(daemonProgram, [`--config-file=${config}`, "--nofork", "--nopidfile"], {
      // It complains about limits of open files where it may not raise them.
      stdio: "ignore",
    });
    await until("the bus answers", () => withBus(this.address, () => Promise.resolve(true)));
    await Promise.all(services.map((service) => this.startService(service)));
  }

  async startService(service: PlayedService): Promise<void> {
    const { args, name } = played[service];
    const mock = spawn(pythonProgram, ["-m", "dbusmock", "--system", ...args], {
      env: { ...this.environment, LC_ALL: "C" },
      stdio: ["ignore", "ignore", "inherit"],
    });
    this.#mocks.set(service, mock);
    await until(`${service} answers`, () =>
      withBus(this.address, async (bus) => {
        if (!(await bus.hasOwner(name))) return false;
        await bus.call({
          ...mockCall(service),
          interface: "org.freedesktop.DBus.Peer",
          member: "Ping",
        });
        return true;
      }),
    );
    if (service === "networkManager") await this.#addMetered();
  }

  async stopService(service: PlayedService): Promise<void> {
    await end(this.#mocks.get(service));
    this.#mocks.delete(service);
  }

  /** The bus goes away, and every service with it. */
  async stopDaemon(): Promise<void> {
    await Promise.all([...this.#mocks.values(), this.#daemon].map(end));
    this.#mocks.clear();
    this.#daemon = undefined;
  }

  async stop(): Promise<void> {
    await this.stopDaemon();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Any call to anybody on the bus. */
  async call(call: DbusCall): Promise<readonly unknown[]> {
    return await withBus(this.address, (bus) => bus.call(call));
  }

  /** Somebody logs on, as logind announces it. `sessionClass` other than `user` is no person. */
  async addSession(id: string, user: string, sessionClass: string = "user"): Promise<void> {
    const mock = mockCall("logind");
    const [path] = await this.call({
      ...mock,
      member: "AddSession",
      signature: "ssusb",
      body: [id, "seat0", userNumber(user), user, true],
    });
    await this.setProperties("logind", String(path), sessionInterface, {
      Class: ["s", sessionClass],
    });
    await this.emit("logind", mock.path, loginInterface, "SessionNew", ["s", id], ["o", path]);
  }

  /** Somebody logs off. */
  async removeSession(id: string): Promise<void> {
    const mock = mockCall("logind");
    const path = sessionPath(id);
    await this.call({ ...mock, member: "RemoveObject", signature: "s", body: [path] });
    await this.emit("logind", mock.path, loginInterface, "SessionRemoved", ["s", id], ["o", path]);
  }

  /** The desktop of that session reports its screen as locked, or no longer locked. */
  async setLocked(id: string, isLocked: boolean): Promise<void> {
    await this.setProperties("logind", sessionPath(id), sessionInterface, {
      LockedHint: ["b", isLocked],
    });
  }

  /** logind asks the desktop of that session to lock its screen, or to unlock it. */
  async requestLock(id: string, isLocked: boolean): Promise<void> {
    await this.emit("logind", sessionPath(id), sessionInterface, isLocked ? "Lock" : "Unlock");
  }

  /** The machine is about to sleep, or has come back. */
  async prepareForSleep(isBeginning: boolean): Promise<void> {
    const { path } = mockCall("logind");
    await this.emit("logind", path, loginInterface, "PrepareForSleep", ["b", isBeginning]);
  }

  /** The machine is about to shut down, or does not after all. */
  async prepareForShutdown(isBeginning: boolean): Promise<void> {
    const { path } = mockCall("logind");
    await this.emit("logind", path, loginInterface, "PrepareForShutdown", ["b", isBeginning]);
  }

  /** What UPower says the machine runs on; without `batteryPercent` there is no battery. */
  async setPower(onBattery: boolean, batteryPercent?: number): Promise<void> {
    const device = `${mockCall("upower").path}/devices/DisplayDevice`;
    await this.setProperties("upower", device, "org.freedesktop.UPower.Device", {
      IsPresent: ["b", batteryPercent !== undefined],
      Type: ["u", batteryPercent === undefined ? 0 : 2],
      Percentage: ["d", batteryPercent ?? 0],
    });
    await this.setProperties("upower", mockCall("upower").path, "org.freedesktop.UPower", {
      OnBattery: ["b", onBattery],
    });
  }

  /** NetworkManager's number: 0 unknown, 1 yes, 2 no, 3 probably, 4 probably not. */
  async setMetered(metered: 0 | 1 | 2 | 3 | 4): Promise<void> {
    await this.setProperties("networkManager", managerPath, managerInterface, {
      Metered: ["u", metered],
    });
  }

  /** Connections that are up, instead of any before, as NetworkManager tells them: its own word for the type, the name of a wireless network. */
  async setConnections(
    connections: readonly { readonly type: string; readonly wifiName?: string }[],
  ): Promise<void> {
    const paths: string[] = [];
    for (const [number, { type, wifiName }] of connections.entries()) {
      const accessPoint = `${managerPath}/AccessPoint/${Date.now()}${number}`;
      const path = `${managerPath}/ActiveConnection/${Date.now()}${number}`;
      await this.addObject("networkManager", accessPoint, `${managerInterface}.AccessPoint`, {
        Ssid: ["ay", Buffer.from(wifiName ?? "")],
      });
      await this.addObject("networkManager", path, `${managerInterface}.Connection.Active`, {
        Type: ["s", type],
        Vpn: ["b", type === "vpn"],
        State: ["u", 2],
        SpecificObject: ["o", wifiName === undefined ? "/" : accessPoint],
      });
      paths.push(path);
    }
    await this.setProperties("networkManager", managerPath, managerInterface, {
      ActiveConnections: ["ao", paths],
    });
  }

  /** Makes an object of a service. `methods` are rows of name, types in, types out, and Python code. */
  async addObject(
    service: PlayedService,
    path: string,
    interfaceName: string,
    properties: Readonly<Record<string, Typed>>,
    methods: readonly (readonly [string, string, string, string])[] = [],
  ): Promise<void> {
    await this.call({
      ...mockCall(service),
      member: "AddObject",
      signature: "ssa{sv}a(ssss)",
      body: [path, interfaceName, Object.entries(properties), methods],
    });
  }

  /** Changes properties, which announces them. */
  async setProperties(
    service: PlayedService,
    path: string,
    interfaceName: string,
    properties: Readonly<Record<string, Typed>>,
  ): Promise<void> {
    await this.call({
      ...mockCall(service),
      path,
      member: "UpdateProperties",
      signature: "sa{sv}",
      body: [interfaceName, Object.entries(properties)],
    });
  }

  /** Makes a service send a signal. */
  async emit(
    service: PlayedService,
    path: string,
    interfaceName: string,
    member: string,
    ...body: readonly Typed[]
  ): Promise<void> {
    await this.call({
      ...mockCall(service),
      path,
      member: "EmitSignal",
      signature: "sssav",
      body: [interfaceName, member, body.map(([type]) => type).join(""), body],
    });
  }

  /** A property that the template lacks. */
  async #addMetered(): Promise<void> {
    await this.call({
      ...mockCall("networkManager"),
      path: managerPath,
      member: "AddProperty",
      signature: "ssv",
      body: [managerInterface, "Metered", ["u", 0]],
    });
  }

  /** The methods of a service's main object that were called on it so far, oldest first. */
  async calledMethods(service: PlayedService): Promise<readonly string[]> {
    const [calls] = await this.call({ ...mockCall(service), member: "GetCalls" });
    return (calls as readonly (readonly unknown[])[]).map((call) => String(call[1]));
  }
}

const loginInterface = "org.freedesktop.login1.Manager";
const sessionInterface = "org.freedesktop.login1.Session";
const managerInterface = "org.freedesktop.NetworkManager";
const managerPath = "/org/freedesktop/NetworkManager";

function sessionPath(id: string): string {
  return `/org/freedesktop/login1/session/${id}`;
}

/** Every user of a test has a number of its own. */
function userNumber(user: string): number {
  return 1000 + [...user].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
}

function mockCall(service: PlayedService): {
  destination: string;
  path: string;
  interface: string;
} {
  const { name, path } = played[service];
  return { destination: name, path, interface: mockInterface };
}

/** What dbus-daemon needs in order to let everybody do everything; without the line on signals it drops them. */
function configuration(address: string): string {
  return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>${address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_type="method_return"/>
    <allow send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="signal"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
  </policy>
</busconfig>
`;
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + startMsMax;
  let problem: unknown;
  while (Date.now() < end) {
    try {
      if (await check()) return;
    } catch (error) {
      problem = error;
    }
    await sleep(30);
  }
  throw new Error(`not within ${startMsMax / 1000} s: ${what}`, { cause: problem });
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}
