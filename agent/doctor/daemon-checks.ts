/** Looks at what only a running daemon can: its targets, its secrets, the machine's power and its events. */
import type { Power, PowerAction } from "../../platform/ports/power.ts";
import type { SecretKeeper } from "../../platform/ports/secret-keeper.ts";
import type { Probe } from "../../platform/ports/system-events.ts";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { DoctorCheck } from "../../protocol/local-api/doctor-check.ts";

/** Where a policy's data goes. */
export interface DoctorTarget {
  readonly policy: string;
  /** Without secrets. */
  readonly place: string;
  /** Goes there and back; rejects with why it can't. */
  readonly reach: (signal: AbortSignal) => Promise<void>;
}

export interface DaemonFacts {
  readonly targets: readonly DoctorTarget[];
  readonly secrets: SecretKeeper;
  /** Names of the secrets that policies refer to. */
  readonly secretsNeeded: readonly string[];
  readonly power: Power;
  /** What policies want done after a run. */
  readonly powerActions: readonly PowerAction[];
  /** The sources of events by name, as they were found at the start. */
  readonly probes: ReadonlyMap<string, Probe>;
}

const reachMs = 20_000;

/** Never rejects but with the signal's reason: what can't be looked at is `unknown`. */
export async function daemonChecks(
  facts: DaemonFacts,
  signal: AbortSignal,
): Promise<DoctorCheck[]> {
  const [targets, secrets, power] = await Promise.all([
    Promise.all(facts.targets.map((target) => targetCheck(target, signal))),
    secretChecks(facts.secrets, facts.secretsNeeded),
    powerChecks(facts.power, facts.powerActions),
  ]);
  signal.throwIfAborted();
  return [...targets, ...secrets, ...power, ...probeChecks(facts.probes)];
}

async function targetCheck(
  { policy, place, reach }: DoctorTarget,
  signal: AbortSignal,
): Promise<DoctorCheck> {
  const head = { code: "target", title: `target of policy ${policy}: ${place}` };
  try {
    await reach(AbortSignal.any([signal, AbortSignal.timeout(reachMs)]));
    return { ...head, verdict: "good", text: "It can be reached.", remedy: "" };
  } catch (error) {
    signal.throwIfAborted();
    const remedy = isBackstayError(error) ? error.remedy : "See the daemon's log.";
    return { ...head, verdict: "bad", text: messageOf(error), remedy };
  }
}

async function secretChecks(
  keeper: SecretKeeper,
  needed: readonly string[],
): Promise<DoctorCheck[]> {
  const protection: DoctorCheck = {
    code: "secrets-protection",
    title: `secrets are kept by ${keeper.protection}`,
    ...(keeper.machineBound
      ? { verdict: "good", text: "A copied file is worth nothing elsewhere.", remedy: "" }
      : {
          verdict: "warning",
          text: "They are in files that only root may read: who copies the disk has them.",
          remedy:
            "Where systemd-creds works (systemd 250, better with a TPM), it is used by itself.",
        }),
  };
  try {
    const names = new Set(await keeper.names());
    const missing = [...new Set(needed)].filter((name) => !names.has(name));
    return [protection, ...missing.map(missingSecret)];
  } catch (error) {
    const title = "secrets that policies name";
    const text = messageOf(error);
    const remedy = isBackstayError(error) ? error.remedy : "See the daemon's log.";
    return [protection, { code: "secrets", title, verdict: "bad", text, remedy }];
  }
}

function missingSecret(name: string): DoctorCheck {
  return {
    code: "secret-missing",
    title: `secret ${name}`,
    verdict: "bad",
    text: "A policy needs it and it is not there.",
    remedy: `Store it with \`backstay secret set ${name}\`.`,
  };
}

async function powerChecks(power: Power, actions: readonly PowerAction[]): Promise<DoctorCheck[]> {
  return await Promise.all([
    powerStateCheck(power),
    ...[...new Set(actions)].map((action) => powerActionCheck(power, action)),
  ]);
}

async function powerStateCheck(power: Power): Promise<DoctorCheck> {
  const head = { code: "power", title: "power that the machine runs on" };
  try {
    const { onBattery, batteryPercent } = await power.state();
    if (onBattery === undefined) {
      const text = "The system does not tell, so rules about batteries have no effect.";
      return { ...head, verdict: "unknown", text, remedy: "On Linux UPower tells it." };
    }
    const charge = batteryPercent === undefined ? "" : `, charged to ${batteryPercent} %`;
    const text = `${onBattery ? "Battery" : "Mains"}${charge}.`;
    return { ...head, verdict: "good", text, remedy: "" };
  } catch (error) {
    return { ...head, verdict: "unknown", text: messageOf(error), remedy: "" };
  }
}

async function powerActionCheck(power: Power, action: PowerAction): Promise<DoctorCheck> {
  const head = { code: `power-${action}`, title: `${action} after a run` };
  try {
    const { available, reason } = await power.can(action);
    if (available) return { ...head, verdict: "good", text: reason, remedy: "" };
    const remedy = "Choose another action in the policy, or allow this one in the system.";
    return { ...head, verdict: "bad", text: reason, remedy };
  } catch (error) {
    return { ...head, verdict: "unknown", text: messageOf(error), remedy: "" };
  }
}

function probeChecks(probes: ReadonlyMap<string, Probe>): DoctorCheck[] {
  return [...probes].map(([name, { available, reason }]) => ({
    code: `events-${name}`,
    title: `events from ${name}`,
    verdict: available ? "good" : "warning",
    text: reason,
    remedy: available ? "" : "Policies that wait for these events are not started by them here.",
  }));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
