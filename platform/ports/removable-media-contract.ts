/** What every adapter of the port of removable media does, as tests. */
import { parse, win32 } from "node:path";
import { describe, expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { RemovableMedia } from "./removable-media.ts";

/** Declares the suite for one adapter. */
export function describeRemovableMedia(name: string, open: () => RemovableMedia): void {
  describe(`${name} as removable media`, () => {
    it("lists each mount once, with a whole path", async () => {
      const mounted = await open().mounted();
      const paths = mounted.map(({ path }) => path);
      expect(new Set(paths).size).toBe(paths.length);
      for (const { path, id, removable, isNetwork } of mounted) {
        // Absolute on any system.
        expect(win32.isAbsolute(path), path).toBe(true);
        expect(id, path).not.toBe("");
        expect([true, false, undefined], path).toContain(removable);
        if (isNetwork) expect(removable, path).not.toBe(true);
      }
    });

    it("does not eject the drive that the system runs from", async () => {
      const root = parse(process.execPath).root;
      const error: unknown = await open()
        .eject(root)
        .catch((problem: unknown) => problem);
      expect(isBackstayError(error, "EJECT_FAILED")).toBe(true);
    });
  });
}
