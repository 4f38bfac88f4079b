/** From Node's stat to our stat record. */
import type { BigIntStats } from "node:fs";
import { modeType, statAt } from "../ports/stat-record.ts";

const billion = 1_000_000_000n;

/** Writes `stats` to `record` at `offset`. What Node does not tell (inode flags) is 0. */
export function encodeStats(stats: BigIntStats, record: Uint8Array, offset: number): void {
  const view = new DataView(record.buffer, record.byteOffset + offset);
  const mode = Number(stats.mode) & 0xffff;
  const type = mode & modeType.mask;
  const hasSize = type === modeType.file || type === modeType.symlink;
  const isDevice = type === modeType.blockDevice || type === modeType.charDevice;
  view.setUint32(statAt.mode, mode, true);
  view.setUint32(statAt.uid, Number(BigInt.asUintN(32, stats.uid)), true);
  view.setUint32(statAt.gid, Number(BigInt.asUintN(32, stats.gid)), true);
  writeTime(view, statAt.mtime, statAt.mtimeNs, stats.mtimeNs);
  writeTime(view, statAt.ctime, statAt.ctimeNs, stats.ctimeNs);
  view.setUint32(statAt.links, Number(stats.nlink > 0xffffffffn ? 0xffffffffn : stats.nlink), true);
  view.setBigUint64(statAt.inode, BigInt.asUintN(64, stats.ino), true);
  view.setBigUint64(statAt.size, hasSize ? stats.size : 0n, true);
  view.setBigUint64(statAt.rdev, isDevice ? BigInt.asUintN(64, stats.rdev) : 0n, true);
  view.setBigUint64(statAt.device, BigInt.asUintN(64, stats.dev), true);
  view.setBigUint64(statAt.blocks, BigInt.asUintN(64, stats.blocks), true);
  view.setBigUint64(statAt.flags, 0n, true);
}

/** Whole seconds are rounded down, so that nanoseconds are never negative. */
function writeTime(view: DataView, secondsAt: number, nanosecondsAt: number, time: bigint): void {
  let seconds = time / billion;
  let nanoseconds = time % billion;
  if (nanoseconds < 0n) {
    seconds -= 1n;
    nanoseconds += billion;
  }
  view.setBigInt64(secondsAt, seconds, true);
  view.setUint32(nanosecondsAt, Number(nanoseconds), true);
}
