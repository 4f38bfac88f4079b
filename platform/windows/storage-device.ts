/** What STORAGE_DEVICE_DESCRIPTOR says of the device below a volume. */

const removableMediaOffset = 10;
const busTypeOffset = 28;
const descriptorBytesMin = 32;
/** FireWire, USB, SD and MMC: what hangs on them may be unplugged. */
const pluggableBuses: ReadonlySet<number> = new Set([4, 7, 12, 13]);

/** Whether it is made to be taken away; undefined if `descriptor` is too short to tell. */
export function isRemovableDevice(descriptor: Uint8Array): boolean | undefined {
  if (descriptor.length < descriptorBytesMin) return undefined;
  const view = new DataView(descriptor.buffer, descriptor.byteOffset, descriptor.length);
  const bus = view.getUint32(busTypeOffset, true);
  return descriptor[removableMediaOffset] !== 0 || pluggableBuses.has(bus);
}
