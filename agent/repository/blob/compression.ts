/** How blobs are compressed, by mode. */
import type { Codec } from "../../../platform/ports/codec.ts";

export const compressionModes = ["off", "fastest", "auto", "better", "max"] as const;
export type CompressionMode = (typeof compressionModes)[number];

/** zstd levels by mode: for blobs up to `smallBlobBytes`, for larger ones, and for trees. */
const levels: Record<
  Exclude<CompressionMode, "off">,
  { small: number; large: number; tree: number }
> = {
  fastest: { small: -1, large: 1, tree: 1 },
  auto: { small: 1, large: 3, tree: 1 },
  better: { small: 6, large: 7, tree: 6 },
  max: { small: 17, large: 17, tree: 17 },
};
const smallBlobBytes = 64 * 1024;

/** Level for a data blob of so many bytes; undefined means: do not compress. */
export function dataLevel(mode: CompressionMode, length: number): number | undefined {
  if (mode === "off") return undefined;
  return length <= smallBlobBytes ? levels[mode].small : levels[mode].large;
}

/** Trees are always compressed. */
export function treeLevel(mode: CompressionMode): number {
  return mode === "off" ? levels.fastest.tree : levels[mode].tree;
}

const probeBytes = 8 * 1024;
const probes = 4;
/** Blobs smaller than this are compressed without asking first. */
const probedBlobBytesMin = 256 * 1024;

/**
 * False for data that will not get smaller: decided on samples, so that a gigabyte of video costs nothing.
 * `scratch` needs room for `probeBytes`.
 */
export function looksCompressible(
  codec: Codec,
  src: Uint8Array,
  offset: number,
  length: number,
  scratch: Uint8Array,
): boolean {
  if (length < probedBlobBytesMin) return true;
  const stride = Math.floor((length - probeBytes) / (probes - 1));
  for (let i = 0; i < probes; i += 1) {
    const at = offset + i * stride;
    const room = probeBytes - (probeBytes >> 5);
    if (codec.compress(src, at, probeBytes, scratch, 0, room, 1) >= 0) return true;
  }
  return false;
}
