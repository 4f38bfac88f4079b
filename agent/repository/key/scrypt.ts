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

const memoryBytesMax = 1024 * 1024 * 1024;
/** N·r·p of the most expensive sane key: about ten seconds. restic's own calibration stays below a tenth of it. */
const workMax = 2 ** 26;

/** Why these parameters are refused, or undefined if they are fine. */
export function scryptProblem({ N, r, p }: ScryptParameters): string | undefined {
  if (![N, r, p].every((value) => Number.isSafeInteger(value) && value > 0))
    return "scrypt parameters are not positive integers";
  if (N < 2 || !Number.isInteger(Math.log2(N))) return "scrypt N is not a power of two";
  if (128 * N * r > memoryBytesMax) return "scrypt asks for more than 1 GiB of memory";
  if (N * r * p > workMax) return "scrypt asks for more than about ten seconds of work";
  return undefined;
}

/** Derives 64 bytes in a thread of the pool. The caller has checked the parameters. */
export function deriveScrypt(
  password: Uint8Array,
  salt: Uint8Array,
  { N, r, p }: ScryptParameters,
): Promise<Uint8Array> {
  const maxmem = 128 * N * r + 128 * r * p + 1024 * 1024;
  return new Promise((resolve, reject) => {
    scrypt(password, salt, 64, { N, r, p, maxmem }, (error, derived) => {
      if (error === null) resolve(new Uint8Array(derived));
      else reject(error);
    });
  });
}
