/**
 * Before each test file: properties are tried with chance values of their own each time, but with the same ones in CI, which says
 * whether a change is good, not whether today's chance is. `BACKSTAY_SEED` chooses them anywhere.
 */
import fc from "fast-check";

const { BACKSTAY_SEED: chosen, CI: isInCi } = process.env;
const seed = chosen ?? (isInCi === "true" ? "1" : undefined);
if (seed !== undefined) fc.configureGlobal({ seed: Number(seed) });
