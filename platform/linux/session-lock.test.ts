import { describe, expect, it } from "vitest";
import { SessionLock } from "./session-lock.ts";

const second = 1_000;

describe("SessionLock", () => {
  it("tells a reported change once", () => {
    const lock = new SessionLock(false);
    expect([true, true, false, false].map((value) => lock.reported(value, 0))).toEqual([
      "lock",
      undefined,
      "unlock",
      undefined,
    ]);
  });

  it("knows what was locked before", () => {
    const lock = new SessionLock(true);
    expect(lock.isLocked).toBe(true);
    expect(lock.reported(true, 0)).toBe(undefined);
    expect(lock.requested(true, 0)).toBe(undefined);
    expect(lock.reported(false, 0)).toBe("unlock");
  });

  it("takes a request and the state that follows for one lock", () => {
    const lock = new SessionLock(false);
    expect(lock.requested(true, 0)).toBe("lock");
    expect(lock.isLocked).toBe(false);
    expect(lock.reported(true, 2 * second)).toBe(undefined);
    expect(lock.isLocked).toBe(true);
    expect(lock.requested(false, 60 * second)).toBe(undefined);
    expect(lock.reported(false, 61 * second)).toBe("unlock");
  });

  it("takes a state long after a request for another lock", () => {
    const lock = new SessionLock(false);
    expect(lock.requested(true, 0)).toBe("lock");
    expect(lock.reported(true, 600 * second)).toBe("lock");
  });

  it("works with screens that follow requests and report nothing", () => {
    const lock = new SessionLock(false);
    expect(lock.requested(true, 0)).toBe("lock");
    expect(lock.requested(true, 1 * second)).toBe(undefined);
    expect(lock.requested(false, 5 * second)).toBe("unlock");
    expect(lock.requested(false, 6 * second)).toBe(undefined);
    expect(lock.requested(true, 7 * second)).toBe("lock");
    // The owner unlocked by password, which nobody told.
    expect(lock.requested(true, 900 * second)).toBe("lock");
  });
});
