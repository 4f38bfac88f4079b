import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WakeTimer } from "./wake-timer.ts";

let sysfs: string;

beforeEach(() => {
  sysfs = mkdtempSync(join(tmpdir(), "backstay-sysfs-"));
});
afterEach(() => rmSync(sysfs, { recursive: true }));

function addHardwareClock(wakeup: string): void {
  const folder = join(sysfs, "class/rtc/rtc0/device/power");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "wakeup"), `${wakeup}\n`);
}

/** Seconds left on each alarm timer that this process holds, as the kernel tells. */
function armed(): number[] {
  return readdirSync("/proc/self/fdinfo").flatMap((name) => {
    let text = "";
    try {
      text = readFileSync(`/proc/self/fdinfo/${name}`, "utf8");
    } catch {
      // The descriptor of the folder itself is gone by now.
    }
    const left = /^it_value: \((\d+),/m.exec(text)?.[1];
    return /^clockid: 8$/m.test(text) && left !== undefined ? [Number(left)] : [];
  });
}

describe.runIf(process.platform === "linux")("a wake timer", () => {
  it("needs a hardware clock that may wake the machine", () => {
    const missing = { available: false, reason: "no hardware clock that can wake this machine" };
    expect(new WakeTimer(sysfs).set(Date.now() + 60_000)).toEqual(missing);
    addHardwareClock("disabled");
    expect(new WakeTimer(sysfs).set(Date.now() + 60_000)).toEqual(missing);
    expect(armed()).toEqual([]);
  });

  it("arms the kernel's alarm for the one time that was said last", (context) => {
    if (process.getuid?.() !== 0) context.skip("alarms need CAP_WAKE_ALARM");
    addHardwareClock("enabled");
    const timer = new WakeTimer(sysfs);
    const works = { available: true, reason: "an alarm of rtc0" };
    expect(timer.set(undefined)).toEqual(works);
    expect(armed()).toEqual([]);
    for (const seconds of [3_600, 900]) {
      expect(timer.set(Date.now() + seconds * 1_000)).toEqual(works);
      const [left, ...others] = armed();
      expect(others).toEqual([]);
      expect(Math.abs((left ?? 0) - seconds)).toBeLessThan(60);
    }
    expect(timer.set(0)).toEqual(works);
    expect(armed()).toEqual([0]);
    timer.set(undefined);
    expect(armed()).toEqual([]);
  });
});
