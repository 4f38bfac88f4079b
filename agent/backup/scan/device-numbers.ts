/**
 * Device numbers of hard-linked files: small numbers in the order in which file systems are met. The
 * kernel's own numbers change with reboots and volume snapshots, and would change every tree.
 */
import { modeType, statAt } from "../../../platform/ports/stat-record.ts";

export class DeviceNumbers {
  readonly #numbers = new Map<bigint, number>();

  /** Number of the file system of an entry with several links; 0 for all others and for directories. */
  ofHardLink(records: Uint8Array, at: number): number {
    const isDirectory = ((records[at + 1] << 8) & modeType.mask) === modeType.directory;
    const links = at + statAt.links;
    const hasOneLink =
      records[links] <= 1 &&
      records[links + 1] === 0 &&
      records[links + 2] === 0 &&
      records[links + 3] === 0;
    if (isDirectory || hasOneLink) return 0;
    const view = new DataView(records.buffer, records.byteOffset + at + statAt.device, 8);
    const device = view.getBigUint64(0, true);
    let number = this.#numbers.get(device);
    if (number === undefined) {
      number = this.#numbers.size + 1;
      this.#numbers.set(device, number);
    }
    return number;
  }
}
