import { describe, expect, it } from "vitest";
import { SystemClock } from "./system-clock.ts";

const never = new AbortController().signal;

describe("SystemClock", () => {
  it("sleeps at least as long as it is told", async () => {
    const clock = new SystemClock();
    const beginMs = clock.monotonic();
    await clock.sleep(20, never);
    expect(clock.monotonic() - beginMs).toBeGreaterThanOrEqual(20);
  });
  it("does not sleep for nothing or less", async () => {
    await new SystemClock().sleep(0, never);
    await new SystemClock().sleep(-5, never);
  });
  it("sleeps on where timers would overflow, and stops at once when aborted", async () => {
    const controller = new AbortController();
    const reason = new Error("the reason");
    let isAwake = false;
    const sleeping = new SystemClock().sleep(60 * 86_400_000, controller.signal).finally(() => {
      isAwake = true;
    });
    // A timer of more than 2^31 ms fires after 1 ms.
    await new SystemClock().sleep(30, never);
    expect(isAwake).toBe(false);
    controller.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
  });
  it("refuses to sleep for a signal that is aborted already", async () => {
    await expect(new SystemClock().sleep(1000, AbortSignal.abort())).rejects.toMatchObject({
      name: "AbortError",
    });
  });
});
