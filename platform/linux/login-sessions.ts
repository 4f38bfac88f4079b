/** Sessions of people, as logind tells of them: who logs on and off, whose screen is locked. */
import { DBusError } from "dbus-native";
import type { SystemEvent } from "../ports/system-events.ts";
import { asDictionary, type DbusConnection, type DbusSignal } from "./dbus-connection.ts";
import { SessionLock } from "./session-lock.ts";

const login = {
  service: "org.freedesktop.login1",
  path: "/org/freedesktop/login1",
  manager: "org.freedesktop.login1.Manager",
  session: "org.freedesktop.login1.Session",
} as const;

/** What must be let through for these sessions. */
export const sessionRules: readonly string[] = [
  `type='signal',sender='${login.service}',interface='${login.manager}',member='SessionNew'`,
  `type='signal',sender='${login.service}',interface='${login.manager}',member='SessionRemoved'`,
  `type='signal',sender='${login.service}',interface='${login.session}'`,
  `type='signal',sender='${login.service}',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='${login.session}'`,
];

/** What is asked of a bus. */
type Bus = Pick<DbusConnection, "call" | "properties">;

interface Session {
  readonly id: string;
  readonly user: string;
  readonly lock: SessionLock;
}

export class LoginSessions {
  readonly #emit: (event: SystemEvent) => void;
  readonly #now: () => number;
  /** By object path. Only sessions of people: no greeters, no services of a user. */
  readonly #sessions = new Map<string, Session>();
  #hasTakenStock = false;
  #isCurrent = false;
  /** Questions to logind and what its signals say, one after the other: none can overtake an answer from before it. */
  #asking: Promise<void> = Promise.resolve();

  /** `now` is a monotonic clock in ms. */
  constructor(emit: (event: SystemEvent) => void, now: () => number) {
    this.#emit = emit;
    this.#now = now;
  }

  /** Whether a person's session is locked; undefined while logind can't be asked. */
  get isAnyLocked(): boolean | undefined {
    if (!this.#isCurrent) return undefined;
    return [...this.#sessions.values()].some(({ lock }) => lock.isLocked);
  }

  /**
   * Asks for all sessions. What changed since it last knew them is emitted, so nothing is missed while logind or the bus
   * is away; the first time nothing is. Rejects if logind does not answer.
   */
  async takeStock(bus: Bus): Promise<void> {
    await this.#ask(async () => {
      const [listed] = await bus.call({
        destination: login.service,
        path: login.path,
        interface: login.manager,
        member: "ListSessions",
        mayStart: true,
      });
      const paths = asList(listed).map((entry) => String(asList(entry)[4]));
      for (const path of this.#sessions.keys()) if (!paths.includes(path)) this.#removed(path);
      for (const path of paths) await this.#refresh(bus, path);
      this.#hasTakenStock = true;
      this.#isCurrent = true;
    });
  }

  /** logind, or the bus to it, is away. What is known stays, to be compared with the next stock. */
  lost(): void {
    this.#isCurrent = false;
  }

  /** Takes a signal of `sessionRules`; others are none of its business. */
  signal({ path, interface: name, member, body }: DbusSignal, bus: Bus): void {
    const nowMs = this.#now();
    if (name === login.manager && member === "SessionNew")
      this.#later(() => this.#refresh(bus, String(body[1])));
    else if (name === login.manager && member === "SessionRemoved")
      this.#later(() => this.#removed(String(body[1])));
    else if (name === login.session && (member === "Lock" || member === "Unlock"))
      this.#later(() => this.#lockEvent(path, (lock) => lock.requested(member === "Lock", nowMs)));
    else if (member === "PropertiesChanged" && body[0] === login.session)
      this.#changed(path, body, bus, nowMs);
  }

  #changed(path: string, body: readonly unknown[], bus: Bus, nowMs: number): void {
    const properties = asDictionary(body[1]);
    const hint = properties.get("LockedHint");
    if (typeof hint === "boolean")
      this.#later(() => this.#lockEvent(path, (lock) => lock.reported(hint, nowMs)));
    // A session that is being logged on becomes a person's only then.
    else if (properties.has("Class") || asList(body[2]).includes("LockedHint"))
      this.#later(() => this.#refresh(bus, path));
  }

  async #refresh(bus: Bus, path: string): Promise<void> {
    const found = await sessionAt(bus, path);
    if (found === undefined) return;
    const { isLocked, ...names } = found;
    if (this.#sessions.has(path)) {
      this.#lockEvent(path, (lock) => lock.reported(isLocked, this.#now()));
      return;
    }
    this.#sessions.set(path, {
      ...names,
      lock: new SessionLock(isLocked && !this.#hasTakenStock),
    });
    if (!this.#hasTakenStock) return;
    this.#emit({ kind: "log-on", session: names.id, user: names.user });
    this.#lockEvent(path, (lock) => lock.reported(isLocked, this.#now()));
  }

  #removed(path: string): void {
    const session = this.#sessions.get(path);
    if (session === undefined) return;
    this.#sessions.delete(path);
    this.#emit({ kind: "log-off", session: session.id, user: session.user });
  }

  #lockEvent(path: string, ask: (lock: SessionLock) => "lock" | "unlock" | undefined): void {
    const session = this.#sessions.get(path);
    const kind = session === undefined ? undefined : ask(session.lock);
    if (session !== undefined && kind !== undefined)
      this.#emit({ kind, session: session.id, user: session.user });
  }

  async #ask(question: () => Promise<void> | void): Promise<void> {
    const asked = this.#asking.then(question);
    this.#asking = asked.catch(() => undefined);
    await asked;
  }

  /** As `#ask` for what a signal caused: if the bus goes away meanwhile, the next stock-taking makes up for it. */
  #later(question: () => Promise<void> | void): void {
    this.#ask(question).catch(() => undefined);
  }
}

/** Undefined for a session that has gone, or is nobody's; rejects if the bus has gone. */
async function sessionAt(
  bus: Bus,
  path: string,
): Promise<{ id: string; user: string; isLocked: boolean } | undefined> {
  let found: ReadonlyMap<string, unknown>;
  try {
    found = await bus.properties(login.service, path, login.session);
  } catch (error) {
    if (error instanceof DBusError && error.reply !== undefined) return undefined;
    throw error;
  }
  // `user`, `user-early`, `user-light`: people. `user-incomplete` has not logged on yet.
  const sessionClass = String(found.get("Class"));
  if (!/^user(-(early|light|early-light))?$/.test(sessionClass)) return undefined;
  return {
    id: String(found.get("Id")),
    user: String(found.get("Name")),
    isLocked: found.get("LockedHint") === true,
  };
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}
