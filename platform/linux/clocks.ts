/** The clocks of a Linux machine that tell sleep from a set clock. */
import type { ClockReading } from "../node/clock-jumps.ts";
import { declareCall } from "./libc.ts";
import { NativeMemory } from "./native-memory.ts";

const bootTimeClock = 7;

/** A reader of this machine's clocks. */
export function openClocks(): () => ClockReading {
  const time = new NativeMemory(16);
  const view = new DataView(time.bytes.buffer);
  const clockGettime = declareCall("clock_gettime", "int", ["int", "int64"]);
  return () => {
    clockGettime(bootTimeClock, time.address);
    const seconds = Number(view.getBigInt64(0, true));
    const bootMs = seconds * 1_000 + view.getUint32(8, true) / 1_000_000;
    return { wallMs: Date.now(), awakeMs: performance.now(), bootMs };
  };
}
