/**
 * One connection to a message bus: calls, and the signals that match rules let through. When the bus goes away the
 * connection is over; DbusWatch makes another. On top of dbus-native's messages, without its proxies and its reconnecting:
 * both would hide what was lost.
 */
import { createClient, DBusError, type Message, messageType } from "dbus-native";

/** What `Hello` and signing in may take, and any other call, ms. */
const connectMsMax = 5_000;
const callMsDefault = 10_000;
/** What the system's services say is far smaller; the bus itself allows 128 MiB. */
const messageBytesMax = 8 << 20;
/** Flag of a message: nobody starts a service in order to answer it. */
const noAutoStart = 2;

export interface DbusSignal {
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly body: readonly unknown[];
}

export interface DbusCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  /** D-Bus types of `body`, as `ssu`. */
  readonly signature?: string;
  readonly body?: readonly unknown[];
  /** Lets the bus start the service if it doesn't run. */
  readonly mayStart?: boolean;
  readonly timeoutMs?: number;
}

type Client = ReturnType<typeof createClient>;

/** A live connection. Every method rejects with an Error whose message is for people (`dbusReason`). */
export class DbusConnection {
  readonly #client: Client;
  /** Resolves when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>;

  private constructor(client: Client, closed: Promise<void>) {
    this.#client = client;
    this.closed = closed;
  }

  /**
   * Signs in at `address`, a D-Bus address of the kind `unix:path=…`, within 5 s. `onSignal` gets every broadcast
   * that the rules added later let through, in order. Rejects if there is no bus.
   */
  static async open(
    address: string,
    onSignal: (signal: DbusSignal) => void = () => undefined,
  ): Promise<DbusConnection> {
    const client = createClient({
      socket: socketPath(address),
      // Hello is called below: a client that greets by itself throws where nobody can catch when that fails.
      direct: true,
      fdTransport: false,
      authMethods: ["EXTERNAL"],
      maxMessageSize: messageBytesMax,
      timeout: callMsDefault,
    });
    const connection = client.connection;
    const closed = new Promise<void>((resolve) => connection.on("close", () => resolve()));
    connection.on("message", (message) => {
      const signal = signalOf(message);
      if (signal !== undefined) onSignal(signal);
    });
    const opened = new DbusConnection(client, closed);
    try {
      await connected(client);
      await opened.#callBus("Hello");
    } catch (error) {
      connection.stream.destroy();
      throw error;
    }
    return opened;
  }

  /** The values of the reply. Within 10 s, unless the call says otherwise. */
  async call(call: DbusCall): Promise<readonly unknown[]> {
    const { mayStart, timeoutMs, body, ...rest } = call;
    const message: Message = {
      ...rest,
      ...(body === undefined ? {} : { body: [...body] }),
      ...(mayStart === true ? {} : { flags: noAutoStart }),
    };
    return await new Promise((resolve, reject) => {
      this.#client.invoke(message, { timeout: timeoutMs ?? callMsDefault }, (error, ...values) => {
        if (error) reject(error);
        else resolve(values as unknown[]);
      });
    });
  }

  /** All properties of one interface of an object. */
  async properties(
    destination: string,
    path: string,
    interfaceName: string,
  ): Promise<ReadonlyMap<string, unknown>> {
    const [values] = await this.call({
      destination,
      path,
      interface: "org.freedesktop.DBus.Properties",
      member: "GetAll",
      signature: "s",
      body: [interfaceName],
    });
    return asDictionary(values);
  }

  /**
   * Lets signals through that the rule describes. A rule names the sender: the bus then compares it with who really
   * sends, so that no other program's signals pass.
   */
  async addMatch(rule: string): Promise<void> {
    await this.#callBus("AddMatch", rule);
  }

  /** Whether a service of that name runs now. */
  async hasOwner(name: string): Promise<boolean> {
    return (await this.#callBus("NameHasOwner", name))[0] === true;
  }

  async close(): Promise<void> {
    this.#client.connection.stream.destroy();
    await this.closed;
  }

  async #callBus(member: string, argument?: string): Promise<readonly unknown[]> {
    return await this.call({
      destination: "org.freedesktop.DBus",
      path: "/org/freedesktop/DBus",
      interface: "org.freedesktop.DBus",
      member,
      ...(argument === undefined ? {} : { signature: "s", body: [argument] }),
      timeoutMs: connectMsMax,
    });
  }
}

function connected(client: Client): Promise<void> {
  const { connection } = client;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the bus did not answer within ${connectMsMax / 1000} s`)),
      connectMsMax,
    );
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      if (error === undefined) resolve();
      else reject(error);
    };
    connection.on("connect", () => settle());
    connection.on("close", () => settle(new Error("the bus closed the connection")));
    // Stays for the connection's whole life: what breaks it later arrives as `close` too.
    connection.on("error", (error) => {
      settle(error);
      connection.stream.destroy();
    });
  });
}

/**
 * Undefined for what isn't a broadcast. Any program may send a signal to one receiver past all match rules, and
 * name any interface in it; only the daemon's own word (`sender` of broadcasts) can be trusted.
 */
function signalOf(message: Message): DbusSignal | undefined {
  const { type, path, member, destination, body } = message;
  const interfaceName = message.interface;
  if (type !== messageType.signal || destination !== undefined) return undefined;
  if (path === undefined || member === undefined || interfaceName === undefined) return undefined;
  return { path, interface: interfaceName, member, body: body ?? [] };
}

/** The socket of a D-Bus address, the first that is one: `unix:path=/a%20b` or `unix:abstract=name`. */
function socketPath(address: string): string {
  for (const one of address.split(";")) {
    const match = /^unix:(?:.*,)?(path|abstract)=([^,]+)/.exec(one);
    const value = match?.[2];
    if (match === null || value === undefined) continue;
    const path = decodeURIComponent(value);
    return match[1] === "abstract" ? `\0${path}` : path;
  }
  throw new Error(`no socket in the bus address "${address}"`);
}

/** The system bus: where the environment says, or where every system has it. */
export function systemBusAddress(
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const named = environment["DBUS_SYSTEM_BUS_ADDRESS"] ?? "";
  return named === "" ? "unix:path=/run/dbus/system_bus_socket" : named;
}

/** Connects, lets `work` use the connection, and ends it. Rejects as `work` does, and if there is no bus. */
export async function withBus<T>(
  address: string,
  work: (bus: DbusConnection) => Promise<T>,
): Promise<T> {
  const bus = await DbusConnection.open(address);
  try {
    return await work(bus);
  } finally {
    await bus.close();
  }
}

const absentServices: ReadonlySet<string> = new Set([
  "org.freedesktop.DBus.Error.ServiceUnknown",
  "org.freedesktop.DBus.Error.NameHasNoOwner",
]);

/** Why a connection or call failed, in a few words for people. `service` is how people call the one that was asked. */
export function dbusReason(error: unknown, service: string): string {
  if (error instanceof DBusError && absentServices.has(error.dbusName ?? ""))
    return `${service} does not run`;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === "ENOENT" || code === "ECONNREFUSED") return "there is no system bus";
  if (code === "EACCES" || code === "EPERM") return "the system bus refuses this account";
  return error instanceof Error ? error.message : String(error);
}

/** A dictionary with string keys as dbus-native gives it; empty for anything else. */
export function asDictionary(value: unknown): ReadonlyMap<string, unknown> {
  const isDictionary = typeof value === "object" && value !== null && !Array.isArray(value);
  return new Map(isDictionary ? Object.entries(value) : []);
}
