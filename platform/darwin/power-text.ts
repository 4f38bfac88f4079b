/** What `pmset` prints about batteries and planned events. */
import type { PowerState } from "../ports/power.ts";

/** Of `pmset -g batt`. Batteries and supplies beside the machine (UPS) count alike. */
export function decodeBatteries(output: string): PowerState {
  const source = /drawing from '([^']+)'/.exec(output)?.[1];
  const percents = [...output.matchAll(/^\s*-.*\s(\d{1,3})%;/gm)].map((match) => Number(match[1]));
  const sum = percents.reduce((total, each) => total + each, 0);
  return {
    onBattery: source === undefined ? undefined : source !== "AC Power",
    batteryPercent: percents.length === 0 ? undefined : Math.round(sum / percents.length),
  };
}

/** The times of our own wake events in `pmset -g sched`, as `pmset schedule cancel wake` takes them. */
export function decodeOwnWakes(output: string, owner: string): readonly string[] {
  const line =
    /^\s*\[\d+\]\s+wake at (\d\d\/\d\d)\/(?:\d\d)?(\d\d) (\d\d:\d\d:\d\d)(?: by '?([^'\n]*)'?)?/gm;
  return [...output.matchAll(line)]
    .filter((match) => match[4]?.trim() === owner)
    .map(([, day, year, time]) => `${day}/${year} ${time}`);
}

/** A wall-clock time as `pmset schedule` takes it: `MM/dd/yy HH:mm:ss` of the machine's zone. Rounded up to seconds. */
export function wakeText(atMs: number): string {
  const at = new Date(Math.ceil(atMs / 1000) * 1000);
  const two = (value: number): string => String(value % 100).padStart(2, "0");
  const day = [at.getMonth() + 1, at.getDate(), at.getFullYear()].map(two).join("/");
  return `${day} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":")}`;
}
