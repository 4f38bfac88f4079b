/** scrypt with the limits that hostile key files need. */
import { scrypt } from "node:crypto";

export interface ScryptParameters {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/**
 * What new keys use: 64 MiB of memory, twice restic's usual work per pass, and about a fifth of a second
 * on a machine of 2026, so that the start of an unattended run stays cheap.
 */
export const defaultScrypt: ScryptParameters = { N: 65536, r: 8, p: 1 };

/** Restic takes 60 MiB and rustic 128; a hostile file may not take more than a process may have. */
const memoryBytesMax = 512 * 1024 * 1024;
/** N·r·p of the most expensive sane key: about fifteen seconds. restic's own calibration stays below a twentieth of it. */
const workMax = 2 ** 26;

/** N·r·p, to which the time that a derivation takes is proportional. */
export function scryptWork({ N, r, p }: ScryptParameters): number {
  return N * r * p;
}

/** Why these parameters are refused, or undefined if they are fine. */
export function scryptProblem(parameters: ScryptParameters): string | undefined {
  const { N, r, p } = parameters;
  if (![N, r, p].every((value) => Number.isSafeInteger(value) && value > 0))
    return "scrypt parameters are not positive integers";
  if (N < 2 || !Number.isInteger(Math.log2(N))) return "scrypt N is not a power of two";
  if (128 * Math.max(N, p) * r > memoryBytesMax)
    return "scrypt asks for more than 512 MiB of memory";
  if (scryptWork(parameters) > workMax) return "scrypt asks for more than fifteen seconds of work";
  return undefined;
}

/**
 * Derives 64 bytes in a thread of the pool. The caller has checked the parameters. Rejects with the
 * signal's reason at once when aborted; the thread still ends its work.
 */
export function deriveScrypt(
  password: Uint8Array,
  salt: Uint8Array,
  { N, r, p }: ScryptParameters,
  signal: AbortSignal,
): Promise<Uint8Array> {
  signal.throwIfAborted();
  const maxmem = 128 * N * r + 128 * r * p + 1024 * 1024;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    scrypt(password, salt, 64, { N, r, p, maxmem }, (error, derived) => {
      signal.removeEventListener("abort", onAbort);
      if (error === null) resolve(new Uint8Array(derived));
      else reject(error);
    });
  });
}
