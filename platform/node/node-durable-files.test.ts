import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { openLinuxFileCalls } from "../linux/linux-file-calls.ts";
import { openDurableFiles } from "../open-durable-files.ts";
import { fileCalls } from "./file-calls.ts";
import { NodeDurableFiles } from "./node-durable-files.ts";

const never = new AbortController().signal;
const base = mkdtempSync(join(tmpdir(), "backstay-durable-files-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let files = 0;
const newPath = (): string => {
  files += 1;
  return join(base, `file-${files}`);
};
const pageBytes = 4096;
const mebibyte = 1024 * 1024;

for (const [name, durable] of [
  ["openDurableFiles", openDurableFiles()],
  ["NodeDurableFiles", new NodeDurableFiles()],
] as const)
  describe(name, () => {
    it("creates files with their content and mode, and nothing else", async () => {
      for (const [sizeBytes, mode] of [
        [0, 0o600],
        [1, 0o400],
        [mebibyte, 0o440],
        [mebibyte + 1, 0o444],
        [5 * mebibyte - 1, 0o400],
      ]) {
        const path = newPath();
        const data = durable.allocateAligned(sizeBytes).map((_, i) => i * 31);
        const aligned = durable.allocateAligned(sizeBytes);
        aligned.set(data);
        expect(await durable.createFile(path, aligned, mode, never)).toBe("created");
        expect(Buffer.compare(readFileSync(path), data)).toBe(0);
        expect(statSync(path).mode & 0o7777).toBe(mode);
        expect(statSync(path).nlink).toBe(1);
      }
      expect(readdirSync(base).filter((entry) => durable.isTemporaryName(entry))).toEqual([]);
    });
    it("never replaces a file", async () => {
      const path = newPath();
      await durable.createFile(path, Uint8Array.of(1), 0o400, never);
      expect(await durable.createFile(path, Uint8Array.of(2), 0o600, never)).toBe("exists");
      expect(readFileSync(path)).toEqual(Buffer.of(1));
      expect(statSync(path).mode & 0o7777).toBe(0o400);
    });
    it("replaces a file as a whole, or not at all", async () => {
      const path = newPath();
      await durable.replaceFile(path, Uint8Array.of(1), 0o600, never);
      await durable.replaceFile(path, Buffer.alloc(mebibyte + 7, "new"), 0o640, never);
      expect(readFileSync(path)).toEqual(Buffer.alloc(mebibyte + 7, "new"));
      expect(statSync(path).mode & 0o7777).toBe(0o640);
      const gone = AbortSignal.abort(new Error("ended"));
      await expect(durable.replaceFile(path, Uint8Array.of(2), 0o600, gone)).rejects.toThrow();
      await expect(durable.replaceFile(base, Uint8Array.of(2), 0o600, never)).rejects.toThrow();
      expect(readFileSync(path)).toHaveLength(mebibyte + 7);
      expect(readdirSync(base).filter((entry) => durable.isTemporaryName(entry))).toEqual([]);
    });
    it("makes no folders", async () => {
      const path = join(newPath(), "file");
      await expect(durable.createFile(path, Uint8Array.of(1), 0o400, never)).rejects.toMatchObject({
        code: "ENOENT",
      });
    });
    it("gives memory that is aligned, zeroed, of the size asked for, and can move", () => {
      fc.assert(
        fc.property(fc.nat(3 * pageBytes), (sizeBytes) => {
          const memory = durable.allocateAligned(sizeBytes);
          expect(memory.length).toBe(sizeBytes);
          expect(memory.every((byte) => byte === 0)).toBe(true);
          expect(durable.isAligned(memory)).toBe(sizeBytes > 0);
          const { byteOffset } = memory;
          const whole = memory.buffer as ArrayBuffer;
          const moved = structuredClone(whole, { transfer: [whole] });
          expect(durable.isAligned(new Uint8Array(moved, byteOffset))).toBe(true);
        }),
        { numRuns: 50 },
      );
      const memory = durable.allocateAligned(2 * pageBytes);
      for (const [offset, isAligned] of [
        [0, true],
        [1, false],
        [8, false],
        [pageBytes - 1, false],
        [pageBytes, true],
      ] as const)
        expect(durable.isAligned(memory.subarray(offset))).toBe(isAligned);
    });
    it("knows its temporary names, which no file of a repository has", () => {
      expect(durable.isTemporaryName(`backstay_tmp_${"0a".repeat(12)}`)).toBe(true);
      for (const other of ["", "ab".repeat(32), "backstay_tmp_", `x-tmp-123`, "config"])
        expect(durable.isTemporaryName(other)).toBe(false);
    });
  });

describe("a file that is aborted on the way", () => {
  it("is given up at the next piece, and leaves nothing", async () => {
    for (const extra of [{}, openLinuxFileCalls(fileCalls) ?? {}]) {
      const controller = new AbortController();
      const reason = new Error("the reason");
      let writes = 0;
      const aborting = async (...values: Parameters<typeof fileCalls.open>) => {
        const file = await fileCalls.open(...values);
        const write = file.write.bind(file) as (...parts: unknown[]) => Promise<unknown>;
        return Object.assign(file, {
          write: (...parts: unknown[]) => {
            writes += 1;
            if (writes === 2) controller.abort(reason);
            return write(...parts);
          },
        });
      };
      const calls = { ...fileCalls, open: aborting as typeof fileCalls.open };
      const openUnnamed =
        "openUnnamed" in extra ? openLinuxFileCalls(calls)?.openUnnamed : undefined;
      const durable = new NodeDurableFiles({
        calls,
        extra: { ...extra, ...(openUnnamed === undefined ? {} : { openUnnamed }) },
      });
      const before = readdirSync(base);
      const data = durable.allocateAligned(20 * mebibyte);
      const creating = durable.createFile(newPath(), data, 0o400, controller.signal);
      await expect(creating).rejects.toBe(reason);
      expect(writes).toBe(2);
      expect(readdirSync(base)).toEqual(before);
    }
  });
});

describe("writing past the system's cache", () => {
  it("is done for what is large and aligned, and for nothing else", async (context) => {
    const linux = openLinuxFileCalls(fileCalls);
    const setUnbuffered = linux?.setUnbuffered;
    if (process.platform !== "linux" || setUnbuffered === undefined)
      return context.skip("needs Linux's file calls");
    const switches: boolean[] = [];
    const counting = (file: FileHandle, isUnbuffered: boolean): boolean => {
      switches.push(isUnbuffered);
      return setUnbuffered(file, isUnbuffered);
    };
    const durable = new NodeDurableFiles({ extra: { ...linux, setUnbuffered: counting } });
    const memory = durable.allocateAligned(3 * mebibyte);
    for (const [data, expected] of [
      [memory, [true, false]],
      [memory.subarray(0, mebibyte), [true, false]],
      [memory.subarray(0, mebibyte - 1), []],
      [memory.subarray(1), []],
      [memory.subarray(pageBytes, 2 * mebibyte + 7), [true, false]],
    ] as const) {
      switches.length = 0;
      await durable.createFile(newPath(), data, 0o400, never);
      expect(switches).toEqual(expected);
    }
  });
});
