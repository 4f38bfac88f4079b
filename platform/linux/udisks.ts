/** udisks2, where it runs or may be started: unmounts, locks and switches off drives. */
import { asDictionary, type DbusConnection } from "./dbus-connection.ts";

const service = "org.freedesktop.UDisks2";
const answerMsMax = 60_000;

type Properties = ReadonlyMap<string, unknown>;

/** An object of udisks2, with its interfaces by name without the prefix they share. */
interface DiskObject {
  readonly path: string;
  readonly interfaces: ReadonlyMap<string, Properties>;
}

export class Udisks {
  readonly #bus: DbusConnection;
  readonly #objects: readonly DiskObject[];

  private constructor(bus: DbusConnection, objects: readonly DiskObject[]) {
    this.#bus = bus;
    this.#objects = objects;
  }

  /** Undefined if there is no udisks2. What it knows at this moment is what the methods go by. */
  static async open(bus: DbusConnection): Promise<Udisks | undefined> {
    try {
      const [managed] = await bus.call({
        destination: service,
        path: "/org/freedesktop/UDisks2",
        interface: "org.freedesktop.DBus.ObjectManager",
        member: "GetManagedObjects",
        mayStart: true,
      });
      const objects = [...asDictionary(managed)].map(([path, interfaces]) => ({
        path,
        interfaces: new Map(
          [...asDictionary(interfaces)].map(([name, properties]) => [
            name.slice(service.length + 1),
            asDictionary(properties),
          ]),
        ),
      }));
      return new Udisks(bus, objects);
    } catch {
      return undefined;
    }
  }

  /** Unmounts one mount of the device (`sdb1`). False if udisks2 knows no file system there; rejects if it can't. */
  async unmount(deviceName: string): Promise<boolean> {
    const block = this.#block(deviceName);
    if (block?.interfaces.has("Filesystem") !== true) return false;
    await this.#call(block.path, "Filesystem", "Unmount");
    return true;
  }

  /** Closes what is encrypted on these devices, then switches off or ejects their drive. False if it can do neither. */
  async powerOff(deviceNames: readonly string[]): Promise<boolean> {
    const blocks = deviceNames.flatMap((name) => this.#block(name) ?? []);
    for (const { path, interfaces } of blocks) {
      const open = interfaces.get("Encrypted")?.get("CleartextDevice");
      if (open !== undefined && open !== "/") await this.#call(path, "Encrypted", "Lock");
    }
    const drivePath = blocks[0]?.interfaces.get("Block")?.get("Drive");
    const drive = this.#objects.find(({ path }) => path === drivePath)?.interfaces.get("Drive");
    if (drive?.get("CanPowerOff") === true)
      await this.#call(String(drivePath), "Drive", "PowerOff");
    else if (drive?.get("Ejectable") === true)
      await this.#call(String(drivePath), "Drive", "Eject");
    else return false;
    return true;
  }

  #block(deviceName: string): DiskObject | undefined {
    return this.#objects.find(({ interfaces }) => {
      const device = interfaces.get("Block")?.get("Device");
      // A path in bytes, with the zero byte of C.
      return Buffer.isBuffer(device) && device.toString() === `/dev/${deviceName}\0`;
    });
  }

  async #call(path: string, interfaceName: string, member: string): Promise<void> {
    await this.#bus.call({
      destination: service,
      path,
      interface: `${service}.${interfaceName}`,
      member,
      signature: "a{sv}",
      body: [[["auth.no_user_interaction", ["b", true]]]],
      timeoutMs: answerMsMax,
    });
  }
}
