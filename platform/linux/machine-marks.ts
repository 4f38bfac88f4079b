/** What tells a Linux machine from others: machine-id, the UUID of DMI, that of the root file system, a hardware address. */
import { existsSync, realpathSync } from "node:fs";
import path from "node:path";
import type { MachineMarkReader, MachineMarks } from "../ports/machine-marks.ts";
import { fileSystemId } from "./file-system-ids.ts";
import { namesIn, readValue } from "./kernel-values.ts";
import { readMounts } from "./mount-table.ts";

export interface LinuxMachineMarksOptions {
  /** Another `/` for tests; its `etc`, `sys` and `proc` are read. */
  readonly root?: string;
  readonly fileSystemId?: (devicePath: string) => Promise<string | undefined>;
}

export class LinuxMachineMarks implements MachineMarkReader {
  readonly #root: string;
  readonly #fileSystemId: (devicePath: string) => Promise<string | undefined>;

  constructor(options: LinuxMachineMarksOptions = {}) {
    this.#root = options.root ?? "/";
    this.#fileSystemId = options.fileSystemId ?? (async (device) => await fileSystemId(device));
  }

  async read(): Promise<MachineMarks> {
    return {
      system: this.#value("etc/machine-id") ?? this.#value("var/lib/dbus/machine-id"),
      hardware:
        this.#value("sys/class/dmi/id/product_uuid") ??
        this.#value("sys/firmware/devicetree/base/serial-number"),
      disk: await this.#rootFileSystem(),
      network: this.#network(),
    };
  }

  #value(name: string): string | undefined {
    const value = readValue(path.join(this.#root, name))?.replaceAll("\0", "").toLowerCase();
    return value === "" || value === "uninitialized" ? undefined : value;
  }

  async #rootFileSystem(): Promise<string | undefined> {
    const mounts = readMounts(path.join(this.#root, "proc/self/mountinfo"));
    const mount = mounts.findLast(({ mountPoint }) => Buffer.from(mountPoint).toString() === "/");
    if (mount?.source.startsWith("/") !== true) return undefined;
    return await this.#fileSystemId(mount.source).catch(() => undefined);
  }

  /** The lowest of those that came with their hardware; what is plugged into USB comes and goes. */
  #network(): string | undefined {
    const folder = path.join(this.#root, "sys/class/net");
    return namesIn(folder)
      .filter((name) => isBuiltIn(path.join(folder, name)))
      .map((name) => readValue(path.join(folder, name, "address")) ?? "")
      .filter((address) => /[1-9a-f]/.test(address))
      .sort()
      .at(0);
  }
}

/** On a device of a bus that isn't USB, with the address that it was made with. */
function isBuiltIn(folder: string): boolean {
  const device = path.join(folder, "device");
  if (!existsSync(device) || readValue(path.join(folder, "addr_assign_type")) !== "0") return false;
  try {
    return !/\/usb\d+\//.test(realpathSync(device));
  } catch {
    return false;
  }
}
