import { describe, expect, it } from "vitest";
import { describePower } from "../ports/power-contract.ts";
import type { PowerCalls } from "./kernel32-power.ts";
import { WindowsPower } from "./power.ts";
import { decodePowerStatus } from "./power-status.ts";
import { WindowsError } from "./windows-calls.ts";

const onMains = Buffer.from("0180ff00ffffffffffffffff", "hex");

/** Calls that do nothing but remember; `open` are the handles that nobody has closed. */
function play(changes: Partial<PowerCalls> = {}): { calls: PowerCalls; open: Set<unknown> } {
  const open = new Set<unknown>();
  let handles = 0;
  const handle = (): number => {
    handles += 1;
    open.add(handles);
    return handles;
  };
  const calls: PowerCalls = {
    powerStatus: () => onMains,
    createRequest: handle,
    setRequest: () => undefined,
    close: (each) => {
      if (!open.delete(each)) throw new Error("closed twice");
    },
    createTimer: handle,
    setWakingTimer: () => true,
    isSuspendAllowed: () => true,
    isHibernateAllowed: () => false,
    suspend: async () => undefined,
    ...changes,
  };
  return { calls, open };
}

const allowed = { enablePrivilege: () => undefined, shutDown: () => undefined };
const denied = {
  enablePrivilege: (name: string): void => {
    throw new WindowsError(`AdjustTokenPrivileges ${name}`, 1300);
  },
  shutDown: () => undefined,
};

describePower(
  "the Windows adapter without rights",
  () => new WindowsPower({ calls: play().calls, security: denied }),
);
describePower(
  "the Windows adapter",
  () => new WindowsPower({ calls: play().calls, security: allowed }),
);

describe("SYSTEM_POWER_STATUS", () => {
  it.each<[string, boolean | undefined, number | undefined, string]>([
    ["0180ff00ffffffffffffffff", false, undefined, "a computer without battery"],
    ["01094e00ffffffffffffffff", false, 78, "a notebook that charges"],
    ["0002150058020000ffffffff", true, 21, "a notebook on its battery"],
    ["00040500f0000000ffffffff", true, 5, "a notebook that is nearly empty"],
    ["ffffff00ffffffffffffffff", undefined, undefined, "a driver that knows nothing"],
  ])("%s: on battery %s, %s percent: %s", (hex, onBattery, batteryPercent) => {
    expect(decodePowerStatus(Buffer.from(hex, "hex"))).toEqual({ onBattery, batteryPercent });
  });
});

describe("Windows power", () => {
  it("holds one request for each run, though Windows refuses its second part", async () => {
    const { calls, open } = play({
      setRequest: (_request, kind) => {
        if (kind === 3) throw new WindowsError("PowerSetRequest", 50);
      },
    });
    const power = new WindowsPower({ calls, security: allowed });
    const release = await power.keepAwake("a run");
    expect(open.size).toBe(1);
    await release();
    await release();
    expect(open.size).toBe(0);
  });

  it("runs on where no request is taken, and leaves nothing open", async () => {
    const { calls, open } = play({
      setRequest: () => {
        throw new WindowsError("PowerSetRequest", 50);
      },
    });
    await (await new WindowsPower({ calls, security: allowed }).keepAwake("a run"))();
    expect(open.size).toBe(0);
  });

  it("sets the timer to that very time, and holds one at most", async () => {
    const due: bigint[] = [];
    const { calls, open } = play({
      setWakingTimer: (_timer, ticks) => {
        due.push(ticks);
        return true;
      },
    });
    const power = new WindowsPower({ calls, security: allowed });
    await power.setWake(Date.UTC(2026, 0, 1));
    await power.setWake(Date.UTC(2026, 0, 1, 0, 0, 1));
    expect(due).toEqual([134_116_992_000_000_000n, 134_116_992_010_000_000n]);
    expect(open.size).toBe(1);
    await power.setWake(undefined);
    expect(open.size).toBe(0);
  });

  it("says that a machine can't wake by timers", async () => {
    const { calls, open } = play({ setWakingTimer: () => false });
    const probe = await new WindowsPower({ calls, security: allowed }).setWake(Date.now());
    expect(probe.available).toBe(false);
    expect(open.size).toBe(0);
  });

  it("does what it is told, and gives the system's reason if that is refused", async () => {
    const done: string[] = [];
    const { calls } = play({
      suspend: async (hibernate) => {
        done.push(hibernate ? "hibernate" : "sleep");
        if (hibernate) throw new Error("SetSuspendState: Windows refused");
      },
      isHibernateAllowed: () => true,
    });
    const security = { ...allowed, shutDown: () => void done.push("shut-down") };
    const power = new WindowsPower({ calls, security });
    await power.perform("sleep");
    await power.perform("shut-down");
    await expect(power.perform("hibernate")).rejects.toMatchObject({
      code: "POWER_ACTION_FAILED",
      context: { reason: "SetSuspendState: Windows refused" },
    });
    expect(done).toEqual(["sleep", "shut-down", "hibernate"]);
  });
});
