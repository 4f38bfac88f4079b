/** What tells a Mac from others: its platform UUID and serial number, the UUID of its start volume, the address of en0. */
import { networkInterfaces } from "node:os";
import type { MachineMarkReader, MachineMarks } from "../ports/machine-marks.ts";
import { type DarwinCommands, darwinCommands } from "./command-output.ts";
import { decodeDiskInfo } from "./disk-info.ts";

export class DarwinMachineMarks implements MachineMarkReader {
  readonly #commands: DarwinCommands;

  constructor(commands: DarwinCommands = darwinCommands) {
    this.#commands = commands;
  }

  async read(): Promise<MachineMarks> {
    const [platform, volume] = await Promise.all([
      this.#commands("ioreg", ["-rd1", "-c", "IOPlatformExpertDevice"]),
      this.#commands("diskutil", ["info", "-plist", "/"]),
    ]);
    return {
      system: propertyOf(platform.stdout, "IOPlatformSerialNumber"),
      hardware: propertyOf(platform.stdout, "IOPlatformUUID"),
      disk: decodeDiskInfo(volume.stdout)?.volumeId,
      network: networkInterfaces()["en0"]?.at(0)?.mac,
    };
  }
}

/** Of a line such as `"IOPlatformUUID" = "…"`. */
function propertyOf(output: string, name: string): string | undefined {
  return new RegExp(`"${name}" = "([^"]+)"`).exec(output)?.[1];
}
