/** What a machine tells its server of itself: hints for people who look for it, never identity. */
import { hostname, networkInterfaces, release, version } from "node:os";
import { systemName } from "../../platform/system-name.ts";
import type { MachineFacts } from "../../protocol/control/enrolment.ts";
import { programVersion } from "../../protocol/program-version.ts";

const addressesMax = 32;

/** As they are now. `hasBattery`: undefined if the system does not tell. */
export function machineFacts(
  environment: Readonly<Record<string, string | undefined>>,
  hasBattery: boolean | undefined,
): MachineFacts {
  const { system, processor } = systemName();
  const addresses = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"))
    .map(({ address }) => address);
  return {
    hostName: hostname(),
    system: system === "win32" ? "windows" : system === "darwin" ? "darwin" : "linux",
    systemVersion: `${version()} ${release()}`.slice(0, 200),
    architecture: processor,
    agentVersion: programVersion,
    kind: kindOf(environment, system, hasBattery),
    addresses: [...new Set(addresses)].sort().slice(0, addressesMax),
    timeZone: Temporal.Now.timeZoneId(),
    labels: {},
  };
}

/** BACKSTAY_MACHINE_KIND if it says so; otherwise a guess, which an administrator can correct on the server. */
function kindOf(
  environment: Readonly<Record<string, string | undefined>>,
  system: string,
  hasBattery: boolean | undefined,
): MachineFacts["kind"] {
  const said = environment["BACKSTAY_MACHINE_KIND"];
  if (said === "workstation" || said === "server") return said;
  if (system === "darwin" || hasBattery === true) return "workstation";
  return system === "win32" && !version().includes("Server") ? "workstation" : "server";
}
