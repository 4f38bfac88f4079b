/** Batteries and mains as the kernel shows them in sysfs. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { PowerState } from "../ports/power.ts";
import { readValue } from "./kernel-values.ts";

type Supply = ReadonlyMap<string, string>;

const mainsTypes = /^(Mains|USB|Wireless)/;

/**
 * What this machine runs on; `batteryPercent` is undefined where it has no battery of its own (those of mice and
 * headsets don't count). Undefined if the kernel shows no power supplies at all, not even their folder.
 */
export function readSupplies(sysfs: string = "/sys"): PowerState | undefined {
  const folder = join(sysfs, "class/power_supply");
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return undefined;
  }
  const supplies = names.map((name) => readSupply(join(folder, name)));
  const batteries = supplies.filter(isOwnBattery);
  if (batteries.length === 0) return { onBattery: false, batteryPercent: undefined };
  const mains = supplies.filter((supply) => mainsTypes.test(supply.get("TYPE") ?? ""));
  return { onBattery: isOnBattery(mains, batteries), batteryPercent: percentOf(batteries) };
}

/** The values as the kernel announces them, without the prefix of their names. */
function readSupply(folder: string): Supply {
  const values = new Map<string, string>();
  try {
    for (const line of readFileSync(join(folder, "uevent"), "utf8").split("\n")) {
      const [, name, value] = /^POWER_SUPPLY_(\w+)=(.*)$/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) values.set(name, value);
    }
    // Kernels before 5.12 leave these two out of what they announce.
    for (const [name, file] of [
      ["TYPE", "type"],
      ["SCOPE", "scope"],
    ] as const)
      if (!values.has(name)) values.set(name, readValue(join(folder, file)) ?? "");
  } catch {
    // A supply that has just been unplugged.
  }
  return values;
}

function isOwnBattery(supply: Supply): boolean {
  const isBattery = supply.get("TYPE") === "Battery" || supply.get("TYPE") === "UPS";
  return isBattery && supply.get("SCOPE") !== "Device" && supply.get("PRESENT") !== "0";
}

function isOnBattery(mains: readonly Supply[], batteries: readonly Supply[]): boolean {
  // 2 stands for a source that can be programmed.
  if (mains.some((supply) => Number(supply.get("ONLINE")) > 0)) return false;
  if (batteries.some((supply) => supply.get("STATUS") === "Discharging")) return true;
  return mains.length > 0 && batteries.every((supply) => supply.get("STATUS") === "Unknown");
}

/** By energy where all batteries tell it, as a small second battery counts less; else the mean. */
function percentOf(batteries: readonly Supply[]): number | undefined {
  for (const unit of ["ENERGY", "CHARGE"]) {
    const now = sum(batteries.map((supply) => Number(supply.get(`${unit}_NOW`))));
    const full = sum(batteries.map((supply) => Number(supply.get(`${unit}_FULL`))));
    if (full > 0 && now >= 0) return Math.min(100, Math.round((now / full) * 100));
  }
  const mean = sum(batteries.map((supply) => Number(supply.get("CAPACITY")))) / batteries.length;
  return Number.isNaN(mean) ? undefined : Math.round(mean);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
