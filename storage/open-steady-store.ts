/** Opens the store of an address with what every session puts around it: limits, and retries of what may pass. */
import { openClock } from "../platform/open-clock.ts";
import { LimitedStore } from "./limit/limited-store.ts";
import type { ObjectStore } from "./object-store.ts";
import { type OpenStoreOptions, openStore } from "./open-store.ts";
import { type RetryEvent, RetryStore } from "./retry/retry-store.ts";

export interface SteadyStoreOptions extends OpenStoreOptions {
  /** Above 0; unlimited unless given. */
  readonly uploadBytesPerSecond?: number | undefined;
  /** Above 0; unlimited unless given. */
  readonly downloadBytesPerSecond?: number | undefined;
  /** Told before each new attempt. */
  readonly onRetry: (event: RetryEvent) => void;
}

/** As `openStore`, with the same errors. */
export function openSteadyStore(address: string, options: SteadyStoreOptions): ObjectStore {
  const { uploadBytesPerSecond, downloadBytesPerSecond, onRetry } = options;
  const clock = openClock();
  const limited = new LimitedStore(openStore(address, options), {
    clock,
    ...(uploadBytesPerSecond === undefined ? {} : { uploadBytesPerSecond }),
    ...(downloadBytesPerSecond === undefined ? {} : { downloadBytesPerSecond }),
  });
  return new RetryStore(limited, { clock, random: Math.random, onRetry });
}
