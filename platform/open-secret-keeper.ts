/** Picks how this system keeps secrets. */
import path from "node:path";
import { findSystemdCreds } from "./linux/systemd-creds.ts";
import { plainSealer, SecretFiles, type SecretSealer } from "./node/secret-files.ts";
import { openDurableFiles } from "./open-durable-files.ts";
import type { SecretKeeper } from "./ports/secret-keeper.ts";

/**
 * The secrets of the agent whose state is in `stateDirectory` (absolute): in its folder `secrets`, which is made at the first
 * write. Tries out what the system has for sealing: milliseconds, with a TPM seconds. Never rejects.
 */
export async function openSecretKeeper(stateDirectory: string): Promise<SecretKeeper> {
  return new SecretFiles({
    folder: path.join(stateDirectory, "secrets"),
    sealers: await systemSealers(),
    files: openDurableFiles(),
  });
}

/** The best first. What does not work now may still be what sealed a secret, and work again later. */
async function systemSealers(): Promise<readonly [SecretSealer, ...SecretSealer[]]> {
  const creds = process.platform === "linux" ? await findSystemdCreds() : undefined;
  if (creds === undefined) return [plainSealer];
  return creds.usable ? [creds.sealer, plainSealer] : [plainSealer, creds.sealer];
}
