import fc from "fast-check";
import { expect, it } from "vitest";
import type { TargetFiles } from "../../../platform/ports/target-files.ts";
import { writeSparse } from "./sparse-write.ts";

const window = 64 * 1024;

/** Writes into a file of zeros that holds nothing; tells what was written. */
function write(bytes: Uint8Array, position: number) {
  const file = new Uint8Array(position + bytes.length + 10);
  let written = 0;
  const files = {
    write(_: number, from: Uint8Array, offset: number, length: number, at: number): void {
      expect(length).toBeGreaterThan(0);
      file.set(from.subarray(offset, offset + length), at);
      written += length;
    },
  } as Pick<TargetFiles, "write"> as TargetFiles;
  const end = writeSparse(files, 7, bytes, bytes.length, position);
  return { file, written, end };
}

it("writes all that is not zero, wherever it lies, and tells where it ended", () => {
  const run = fc.record({
    value: fc.constantFrom(0, 0, 1, 255),
    length: fc.oneof(
      fc.nat(5),
      fc.integer({ min: window - 2, max: 2 * window + 2 }),
      fc.nat(5 * window),
    ),
  });
  const positions = fc.oneof(
    fc.constant(0),
    fc.nat(10),
    fc.nat(3 * window),
    fc.constant(2 * window),
  );
  fc.assert(
    fc.property(fc.array(run, { maxLength: 6 }), positions, (runs, position) => {
      const bytes = Buffer.concat(runs.map(({ value, length }) => Buffer.alloc(length, value)));
      const { file, written, end } = write(bytes, position);
      expect(Buffer.compare(file.subarray(position, position + bytes.length), bytes)).toBe(0);
      expect(file.subarray(0, position).every((byte) => byte === 0)).toBe(true);
      expect(end).toBeLessThanOrEqual(position + bytes.length);
      expect(file.subarray(end).every((byte) => byte === 0)).toBe(true);
      expect(written).toBeLessThanOrEqual(bytes.length);
    }),
    { numRuns: 200 },
  );
});

it("writes no window that is zero, also where it is cut by the blob's ends", () => {
  for (const position of [0, 1, window - 1, window, 100_001]) {
    expect(write(new Uint8Array(512 * 1024), position)).toMatchObject({
      written: 0,
      end: position,
    });
    const bytes = new Uint8Array(512 * 1024 + 3);
    bytes[300_000] = 1;
    expect(write(bytes, position).written).toBeLessThanOrEqual(window);
  }
});
