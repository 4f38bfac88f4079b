/** What tells a Windows machine from others: MachineGuid, the UUID of its firmware, the serial number of the system's volume. */
import { networkInterfaces } from "node:os";
import type { MachineMarkReader, MachineMarks } from "../ports/machine-marks.ts";
import { type RegistryCalls, registryCalls, registryRoots } from "./advapi32-registry.ts";
import { type VolumeCalls, volumeCalls } from "./kernel32-volumes.ts";
import { lazyLibrary } from "./windows-calls.ts";

export interface WindowsMachineMarksOptions {
  /** Such as `C:`. */
  readonly systemDrive: string;
  readonly registry?: Pick<RegistryCalls, "text">;
  readonly volumes?: Pick<VolumeCalls, "serialNumber">;
  /** The SMBIOS tables of the firmware; empty if there are none. */
  readonly firmware?: () => Uint8Array;
}

/** The provider of SMBIOS tables, "RSMB". */
const smbios = 0x5253_4d42;
const firmwareBytesMax = 1 << 20;
const headerBytes = 8;
const systemInformation = 1;
const uuidAt = 8;
const uuidBytes = 16;

const calls = lazyLibrary("kernel32.dll", (library) => ({
  GetSystemFirmwareTable: library.func(
    "uint32_t GetSystemFirmwareTable(uint32_t, uint32_t, _Out_ uint8_t *, uint32_t)",
  ) as (provider: number, table: number, buffer: Uint8Array, bytes: number) => number,
}));

export class WindowsMachineMarks implements MachineMarkReader {
  readonly #options: WindowsMachineMarksOptions;

  constructor(options: WindowsMachineMarksOptions) {
    this.#options = options;
  }

  async read(): Promise<MachineMarks> {
    const { systemDrive, registry = registryCalls, volumes = volumeCalls } = this.#options;
    const { firmware = readFirmware } = this.#options;
    const serial = await volumes.serialNumber(`${systemDrive}\\`).catch(() => undefined);
    return {
      system: attempt(() =>
        registry.text(registryRoots.machine, "SOFTWARE\\Microsoft\\Cryptography", "MachineGuid"),
      ),
      hardware: attempt(() => firmwareUuid(firmware())),
      disk: serial?.toString(16),
      network: builtInAddress(),
    };
  }
}

function readFirmware(): Uint8Array {
  const buffer = Buffer.alloc(firmwareBytesMax);
  const bytes = calls().GetSystemFirmwareTable(smbios, 0, buffer, buffer.length);
  return buffer.subarray(0, bytes <= buffer.length ? bytes : 0);
}

/** The UUID in the structure "system information" of the tables, in hex as it stands there. */
function firmwareUuid(tables: Uint8Array): string | undefined {
  for (let at = headerBytes; at + 4 <= tables.length; ) {
    const [type, length] = [tables[at], tables[at + 1]];
    if (length < 4) return undefined;
    if (type === systemInformation && length >= uuidAt + uuidBytes) {
      const uuid = Buffer.from(tables.subarray(at + uuidAt, at + uuidAt + uuidBytes));
      return uuid.length < uuidBytes || /^(?:00|ff)+$/.test(uuid.toString("hex"))
        ? undefined
        : uuid.toString("hex");
    }
    // Behind the structure stand its texts, with two zeros at their end.
    at += length;
    while (at + 1 < tables.length && (tables[at] !== 0 || tables[at + 1] !== 0)) at += 1;
    at += 2;
  }
  return undefined;
}

/** The lowest address that its maker gave, not a program or an administrator. */
function builtInAddress(): string | undefined {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, mac }) => !internal && (Number.parseInt(mac, 16) & 2) === 0)
    .map(({ mac }) => mac)
    .filter((mac) => /[1-9a-f]/.test(mac))
    .sort()
    .at(0);
}

function attempt(read: () => string | undefined): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
