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

/**
 * Ways to seal, the best first; each opens what another has sealed. Bound to the TPM, but to no measurement of the boot: an
 * update of the firmware must not lock the agent out. systemd 252 can't open again what is bound to no measurement at
 * all, so there it is bound to that of register 16, which nothing that starts a machine writes to.
 */
const ways: readonly (readonly string[])[] = [
  ["--with-key=auto", "--tpm2-pcrs="],
  ["--with-key=auto", "--tpm2-pcrs=16"],
  ["--with-key=host"],
];

/** Undefined where this process can't have it. `usable` says whether it worked just now. */
export async function findSystemdCreds(): Promise<
  { readonly sealer: SecretSealer; readonly usable: boolean } | undefined
> {
  if (process.geteuid?.() !== 0 || toolPath(program) === undefined) return undefined;
  for (const way of ways) {
    const sealer = new SystemdCredsSealer(way);
    if (await worksHere(sealer)) return { sealer, usable: true };
  }
  return { sealer: new SystemdCredsSealer(ways[0]), usable: false };
}

class SystemdCredsSealer implements SecretSealer {
  readonly protection = program;
  readonly machineBound = true;
  readonly #way: readonly string[];

  constructor(way: readonly string[]) {
    this.#way = way;
  }

  async seal(name: string, secret: Uint8Array): Promise<Uint8Array> {
    const args = ["encrypt", `--name=${credentialName(name)}`, ...this.#way];
    const result = await call(args, secret);
    return Buffer.from(result.stdout, "base64");
  }

  async open(name: string, sealed: Uint8Array): Promise<Uint8Array> {
    const base64 = Buffer.from(Buffer.from(sealed).toString("base64"));
    const how = ["--transcode=base64", "--newline=no"];
    const result = await call(["decrypt", `--name=${credentialName(name)}`, ...how], base64);
    return Buffer.from(result.stdout, "base64");
  }
}

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

async function worksHere(sealer: SecretSealer): Promise<boolean> {
  const sample = randomBytes(16);
  try {
    const sealed = await sealer.seal("trial", sample);
    return Buffer.compare(await sealer.open("trial", sealed), sample) === 0;
  } catch {
    return false;
  }
}
