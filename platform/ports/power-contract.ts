/** What every adapter of the power port does, as tests. */
import { describe, expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { Power, PowerAction } from "./power.ts";

const actions: readonly PowerAction[] = ["sleep", "hibernate", "shut-down"];

/** Declares the suite for one adapter. What can be done to the machine is not done: only refusals are tried. */
export function describePower(name: string, open: () => Power): void {
  describe(`${name} as power`, () => {
    it("tells what the machine runs on, as far as it knows", async () => {
      const { onBattery, batteryPercent } = await open().state();
      expect([true, false, undefined]).toContain(onBattery);
      if (batteryPercent === undefined) return;
      expect(batteryPercent).toBeGreaterThanOrEqual(0);
      expect(batteryPercent).toBeLessThanOrEqual(100);
    });

    it("keeps awake for several at once, and lets go of each once", async () => {
      const power = open();
      const [first, second] = await Promise.all([
        power.keepAwake("one reason"),
        power.keepAwake('another, with "quotes" and --dashes'),
      ]);
      await first();
      await first();
      await second();
    });

    it("says what can't be done and why, and refuses to do it", async () => {
      const power = open();
      for (const action of actions) {
        const { available, reason } = await power.can(action);
        expect(reason).toMatch(/\S/);
        if (available) continue;
        const error: unknown = await power.perform(action).catch((problem: unknown) => problem);
        expect(isBackstayError(error, "POWER_ACTION_FAILED"), action).toBe(true);
      }
    });

    it("answers whether it can wake the machine, however often it is told", async () => {
      const power = open();
      const before = await power.setWake(undefined);
      expect(before.reason).toMatch(/\S/);
      for (const atMs of [Date.now() + 86_400_000, Date.now() + 3_600_000, undefined])
        expect((await power.setWake(atMs)).available).toBe(before.available);
    });
  });
}
