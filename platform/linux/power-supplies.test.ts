import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readSupplies } from "./power-supplies.ts";

let sysfs: string;

beforeEach(() => {
  sysfs = mkdtempSync(join(tmpdir(), "backstay-sysfs-"));
});
afterEach(() => rmSync(sysfs, { recursive: true }));

/** As a kernel shows it; one before 5.12 if `type` is a file of its own. */
function addSupply(name: string, values: Readonly<Record<string, string>>, type?: string): void {
  const folder = join(sysfs, "class/power_supply", name);
  mkdirSync(folder, { recursive: true });
  const lines = Object.entries({ NAME: name, ...values }).map(
    ([key, value]) => `POWER_SUPPLY_${key}=${value}\n`,
  );
  writeFileSync(join(folder, "uevent"), lines.join(""));
  if (type !== undefined) writeFileSync(join(folder, "type"), `${type}\n`);
}

const adapter = (online: string): Record<string, string> => ({ TYPE: "Mains", ONLINE: online });
const battery = (status: string, capacity: number): Record<string, string> => ({
  ...{ TYPE: "Battery", STATUS: status, PRESENT: "1", CAPACITY: String(capacity) },
});

describe("readSupplies", () => {
  it("knows nothing without the kernel's folder, and no battery where it is empty", () => {
    expect(readSupplies(sysfs)).toBe(undefined);
    mkdirSync(join(sysfs, "class/power_supply"), { recursive: true });
    expect(readSupplies(sysfs)).toEqual({ onBattery: false, batteryPercent: undefined });
  });

  it("is on battery when the adapter is unplugged, and not when it is in", () => {
    addSupply("AC", adapter("0"));
    addSupply("BAT0", battery("Discharging", 71));
    expect(readSupplies(sysfs)).toEqual({ onBattery: true, batteryPercent: 71 });
    addSupply("AC", adapter("1"));
    addSupply("BAT0", battery("Charging", 72));
    expect(readSupplies(sysfs)).toEqual({ onBattery: false, batteryPercent: 72 });
  });

  it("counts a charger at the USB port as mains", () => {
    addSupply("AC", adapter("0"));
    addSupply("ucsi-source-psy-1", { TYPE: "USB", ONLINE: "1", USB_TYPE: "C [PD]" });
    addSupply("BAT0", battery("Discharging", 50));
    expect(readSupplies(sysfs)?.onBattery).toBe(false);
  });

  it("goes by the battery where no adapter is shown", () => {
    addSupply("BAT0", battery("Full", 100));
    expect(readSupplies(sysfs)?.onBattery).toBe(false);
    addSupply("BAT0", battery("Discharging", 99));
    expect(readSupplies(sysfs)?.onBattery).toBe(true);
  });

  it("weighs two batteries by what they hold", () => {
    addSupply("BAT0", { ...battery("Unknown", 0), ENERGY_NOW: "10", ENERGY_FULL: "10000" });
    addSupply("BAT1", { ...battery("Discharging", 90), ENERGY_NOW: "27000", ENERGY_FULL: "30000" });
    expect(readSupplies(sysfs)?.batteryPercent).toBe(68);
    addSupply("BAT1", battery("Discharging", 90));
    expect(readSupplies(sysfs)?.batteryPercent).toBe(45);
  });

  it("leaves out mice, and slots that are empty", () => {
    addSupply("hidpp_battery_0", { ...battery("Discharging", 20), SCOPE: "Device" });
    addSupply("BAT1", { ...battery("Unknown", 0), PRESENT: "0" });
    expect(readSupplies(sysfs)).toEqual({ onBattery: false, batteryPercent: undefined });
  });

  it("reads what older kernels keep in a file of its own", () => {
    addSupply("ADP1", { ONLINE: "0" }, "Mains");
    addSupply("BAT0", { STATUS: "Discharging", PRESENT: "1", CAPACITY: "33" }, "Battery");
    expect(readSupplies(sysfs)).toEqual({ onBattery: true, batteryPercent: 33 });
  });
});
