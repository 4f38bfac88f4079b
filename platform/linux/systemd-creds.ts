/**
 * Sealing by systemd: with a key that only this system has (`/var/lib/systemd/credential.secret`), and with the TPM as
 * well where the machine has one. Root only; systemd need not be running. Secrets travel through pipes.
 */
import { randomBytes } from "node:crypto";
import { runTool, type ToolResult, toolPath } from "../node/run-tool.ts";
import type { SecretSealer } from "../node/secret-files.ts";

const program = "systemd-creds";
/** A TPM takes seconds, more when others use it. */
const callMsMax = 60_000;

/** Undefined where this process can't have it. `usable` says whether it worked just now. */
export async function findSystemdCreds(): Promise<
  { readonly sealer: SecretSealer; readonly usable: boolean } | undefined
> {
  if (process.geteuid?.() !== 0 || toolPath(program) === undefined) return undefined;
  return { sealer: systemdCredsSealer, usable: await worksHere() };
}

const systemdCredsSealer: SecretSealer = {
  protection: program,
  machineBound: true,

  async seal(name, secret) {
    // Bound to no measurement of the boot: an update of the firmware must not lock the agent out.
    const how = ["--with-key=auto", "--tpm2-pcrs="];
    const result = await call(["encrypt", `--name=${credentialName(name)}`, ...how], secret);
    return Buffer.from(result.stdout, "base64");
  },

  async open(name, sealed) {
    const base64 = Buffer.from(Buffer.from(sealed).toString("base64"));
    const how = ["--transcode=base64", "--newline=no"];
    const result = await call(["decrypt", `--name=${credentialName(name)}`, ...how], base64);
    return Buffer.from(result.stdout, "base64");
  },
};

function credentialName(name: string): string {
  return `backstay-${name}`;
}

async function call(args: readonly string[], input: Uint8Array): Promise<ToolResult> {
  const result = await runTool(program, [...args, "-", "-"], callMsMax, input);
  // Before the reason it warns of host keys on disks that are not encrypted.
  const reason = result.problem.split("\n").at(-1);
  if (result.exitCode !== 0) throw new Error(`${program}: ${reason}`);
  return result;
}

async function worksHere(): Promise<boolean> {
  const sample = randomBytes(16);
  try {
    const sealed = await systemdCredsSealer.seal("trial", sample);
    return Buffer.compare(await systemdCredsSealer.open("trial", sealed), sample) === 0;
  } catch {
    return false;
  }
}
