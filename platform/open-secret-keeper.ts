/** Picks how this system keeps secrets. */
import path from "node:path";
import { KeychainSeal } from "./darwin/keychain-seal.ts";
import { findSystemdCreds } from "./linux/systemd-creds.ts";
import { plainSealer, SecretFiles, type SecretSealer } from "./node/secret-files.ts";
import { openDurableFiles } from "./open-durable-files.ts";
import type { DurableFiles } from "./ports/durable-files.ts";
import type { SecretKeeper } from "./ports/secret-keeper.ts";
import { DataProtectionSeal } from "./windows/data-protection-seal.ts";

/**
 * The secrets of the agent whose state is in `stateDirectory` (absolute): in its folder `secrets`, which is made at the first
 * write. Tries out what the system has for sealing: milliseconds, with a TPM seconds. Never rejects.
 */
export async function openSecretKeeper(stateDirectory: string): Promise<SecretKeeper> {
  const folder = path.join(stateDirectory, "secrets");
  const files = openDurableFiles();
  return new SecretFiles({ folder, sealers: await systemSealers(folder, files), files });
}

/** The best first. What does not work now may still be what sealed a secret, and work again later. */
async function systemSealers(
  folder: string,
  files: DurableFiles,
): Promise<readonly [SecretSealer, ...SecretSealer[]]> {
  const found = await systemSealer(folder, files);
  if (found === undefined) return [plainSealer];
  return found.usable ? [found.sealer, plainSealer] : [plainSealer, found.sealer];
}

async function systemSealer(
  folder: string,
  files: DurableFiles,
): Promise<{ readonly sealer: SecretSealer; readonly usable: boolean } | undefined> {
  switch (process.platform) {
    case "linux":
      return await findSystemdCreds();
    case "darwin": {
      const sealer = new KeychainSeal();
      return process.geteuid?.() === 0 ? { sealer, usable: await sealer.worksHere() } : undefined;
    }
    case "win32": {
      const sealer = new DataProtectionSeal({ folder, files });
      return { sealer, usable: sealer.worksHere() };
    }
    default:
      return undefined;
  }
}
