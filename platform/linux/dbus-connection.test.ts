import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type PrivateBus, startPrivateBus } from "../../test/dbus/private-bus.ts";
import { describeWithPrivateBus } from "../../test/dbus/with-private-bus.ts";
import {
  asDictionary,
  DbusConnection,
  dbusReason,
  systemBusAddress,
  withBus,
} from "./dbus-connection.ts";

const idOf = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
  member: "GetId",
};

async function reasonOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return dbusReason(error, "the service");
  }
  throw new Error("it did not fail");
}

describeWithPrivateBus("a connection to a bus", () => {
  let bus: PrivateBus;
  beforeEach(async () => {
    bus = await startPrivateBus();
  });
  afterEach(async () => await bus.stop());

  it("calls, also many at once", async () => {
    await withBus(bus.address, async (connection) => {
      const answers = await Promise.all(Array.from({ length: 200 }, () => connection.call(idOf)));
      expect(new Set(answers.map(([id]) => id)).size).toBe(1);
      expect(answers[0]?.[0]).toMatch(/^[0-9a-f]{32}$/);
    });
  });

  it("finds the socket in longer addresses", async () => {
    const path = bus.address.slice("unix:path=".length).replaceAll("-", "%2d");
    const address = `tcp:host=localhost;unix:guid=0123,path=${path},x=y`;
    expect(await withBus(address, () => Promise.resolve("open"))).toBe("open");
  });

  it("says that a service does not run, and starts none", async () => {
    const call = { ...idOf, destination: "org.freedesktop.UDisks2" };
    await withBus(bus.address, async (connection) => {
      expect(await reasonOf(connection.call(call))).toBe("the service does not run");
      expect(await connection.hasOwner("org.freedesktop.UDisks2")).toBe(false);
      expect(await connection.hasOwner("org.freedesktop.DBus")).toBe(true);
    });
  });

  it("fails what waits for an answer when the bus goes away, and everything after", async () => {
    await bus.startService("logind");
    const connection = await DbusConnection.open(bus.address);
    const silent = { member: "Silent", signature: "", body: [] };
    const login = { destination: "org.freedesktop.login1", path: "/org/freedesktop/login1" };
    await bus.call({
      ...login,
      interface: "org.freedesktop.DBus.Mock",
      member: "AddMethod",
      signature: "sssss",
      body: ["x.y", silent.member, "", "", "import time; time.sleep(30)"],
    });
    const waiting = reasonOf(connection.call({ ...login, interface: "x.y", member: "Silent" }));
    await bus.stopDaemon();
    expect(await waiting).toMatch(/closed/i);
    await connection.closed;
    expect(await reasonOf(connection.call(idOf))).toMatch(/closed/i);
    await connection.close();
  });

  it("gives up a call after its time", async () => {
    await bus.startService("logind");
    const login = { destination: "org.freedesktop.login1", path: "/org/freedesktop/login1" };
    await bus.call({
      ...login,
      interface: "org.freedesktop.DBus.Mock",
      member: "AddMethod",
      signature: "sssss",
      body: ["x.y", "Slow", "", "", "import time; time.sleep(2)"],
    });
    const call = { ...login, interface: "x.y", member: "Slow", timeoutMs: 100 };
    expect(await reasonOf(bus.call(call))).toMatch(/No reply within 100ms/);
  });

  it("hears what the rules let through, in order, and nothing else", async () => {
    await bus.startService("logind");
    const heard: unknown[] = [];
    const connection = await DbusConnection.open(bus.address, ({ member, body }) =>
      heard.push(member, ...body),
    );
    await connection.addMatch(
      "type='signal',sender='org.freedesktop.login1',member='PrepareForSleep'",
    );
    await bus.prepareForShutdown(true);
    await bus.prepareForSleep(true);
    await bus.prepareForSleep(false);
    await vi.waitFor(() => expect(heard).toHaveLength(4));
    expect(heard).toEqual(["PrepareForSleep", true, "PrepareForSleep", false]);
    await connection.close();
  });
});

describe("without a bus", () => {
  let folder: string;
  let server: Server | undefined;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "backstay-bus-"));
  });
  afterEach(() => {
    server?.close();
    server = undefined;
    rmSync(folder, { recursive: true });
  });

  const open = (address: string): Promise<string> => reasonOf(DbusConnection.open(address));

  it("says so at once", async () => {
    expect(await open(`unix:path=${folder}/none`)).toBe("there is no system bus");
    expect(await open("tcp:host=localhost,port=1")).toMatch(/no socket in the bus address/);
  });

  it("gives up what takes a connection and says nothing, or says nonsense", async () => {
    const address = `unix:path=${folder}/bus`;
    const serve = async (greet: (write: (text: string) => void, end: () => void) => void) => {
      server?.close();
      rmSync(join(folder, "bus"), { force: true });
      server = createServer((socket) => {
        socket.on("error", () => undefined);
        greet(
          (text) => socket.write(text),
          () => socket.destroy(),
        );
      });
      await new Promise<void>((resolve) => server?.listen(join(folder, "bus"), resolve));
    };
    await serve(() => undefined);
    expect(await open(address)).toMatch(/did not answer within/);
    await serve((_, end) => end());
    expect(await open(address)).toMatch(/closed|EPIPE|ECONNRESET/);
    await serve((write) => write("REJECTED\r\nREJECTED\r\n"));
    expect(await open(address)).toMatch(/authentication/);
    await serve((write) => write("OK 1234\r\nnonsense instead of a message"));
    expect(await open(address)).toMatch(/byte order|closed/i);
  }, 30_000);
});

it("takes the system bus from the environment, else from its usual place", () => {
  expect(systemBusAddress({})).toBe("unix:path=/run/dbus/system_bus_socket");
  expect(systemBusAddress({ DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/x" })).toBe("unix:path=/x");
});

it("reads dictionaries, and nothing from what is none", () => {
  expect(asDictionary({ a: 1 }).get("a")).toBe(1);
  for (const value of [undefined, null, "text", 5, ["a"]]) expect(asDictionary(value).size).toBe(0);
});
