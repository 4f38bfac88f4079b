import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { lookOfFile, TimeZoneWatch } from "./time-zone-watch.ts";

let folder: string;
let link: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "backstay-zone-"));
  link = join(folder, "localtime");
});
afterEach(() => rmSync(folder, { recursive: true }));

it("sees a new link, a copied file and a removed one, each once", () => {
  symlinkSync("/usr/share/zoneinfo/Etc/UTC", link);
  const watch = new TimeZoneWatch(lookOfFile(link));
  expect(watch.hasChanged()).toBe(false);
  rmSync(link);
  symlinkSync("/usr/share/zoneinfo/Asia/Tokyo", link);
  expect([watch.hasChanged(), watch.hasChanged()]).toEqual([true, false]);
  rmSync(link);
  writeFileSync(link, "TZif2");
  expect([watch.hasChanged(), watch.hasChanged()]).toEqual([true, false]);
  rmSync(link);
  expect([watch.hasChanged(), watch.hasChanged()]).toEqual([true, false]);
});
