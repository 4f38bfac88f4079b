import { beforeEach, describe, expect, it } from "vitest";
import type { DbusSignal } from "./dbus-connection.ts";
import { LoginSessions } from "./login-sessions.ts";

const managerName = "org.freedesktop.login1.Manager";
const sessionName = "org.freedesktop.login1.Session";
const path = "/org/freedesktop/login1/session/c1";

const added: DbusSignal = {
  path: "/org/freedesktop/login1",
  interface: managerName,
  member: "SessionNew",
  body: ["c1", path],
};
const lockedHint = (isLocked: boolean): DbusSignal => ({
  path,
  interface: "org.freedesktop.DBus.Properties",
  member: "PropertiesChanged",
  body: [sessionName, { LockedHint: isLocked }, []],
});

/** A bus whose answers about the one session come when the test says so. */
class SlowBus {
  #answer: (isLocked: boolean) => void = () => undefined;
  #asked: () => void = () => undefined;
  readonly asked = new Promise<void>((resolve) => {
    this.#asked = resolve;
  });

  call(): Promise<readonly unknown[]> {
    return Promise.resolve([[]]);
  }

  async properties(): Promise<ReadonlyMap<string, unknown>> {
    const isLocked = await new Promise<boolean>((resolve) => {
      this.#answer = resolve;
      this.#asked();
    });
    return new Map<string, unknown>([
      ["Id", "c1"],
      ["Name", "anna"],
      ["Class", "user"],
      ["LockedHint", isLocked],
    ]);
  }

  answer(isLocked: boolean): void {
    this.#answer(isLocked);
  }
}

describe("sessions of people", () => {
  let bus: SlowBus;
  let sessions: LoginSessions;
  let emitted: string[];

  beforeEach(async () => {
    bus = new SlowBus();
    emitted = [];
    sessions = new LoginSessions(
      ({ kind }) => emitted.push(kind),
      () => 0,
    );
    await sessions.takeStock(bus);
    sessions.signal(added, bus);
    await bus.asked;
  });

  /** Lets everything happen that waits for nothing from outside. */
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it("are locked also when that comes in one piece with the answer that they were not", async () => {
    bus.answer(false);
    sessions.signal(lockedHint(true), bus);
    await settled();
    expect(sessions.isAnyLocked).toBe(true);
    expect(emitted).toEqual(["log-on", "lock"]);
  });

  it("are logged on and locked when the first look at them finds a lock", async () => {
    bus.answer(true);
    sessions.signal(lockedHint(true), bus);
    sessions.signal(lockedHint(false), bus);
    await settled();
    expect(sessions.isAnyLocked).toBe(false);
    expect(emitted).toEqual(["log-on", "lock", "unlock"]);
  });
});
