/** What a machine says of itself, for tests that only care for a part of it. */
import type { AgentStatus } from "../../protocol/control/reports.ts";

/** A healthy machine without policies, at the beginning of time. */
export function machineStatus(given: Partial<AgentStatus> = {}): AgentStatus {
  return {
    version: 1,
    timeMs: 0,
    bundle: { state: "applied" },
    health: "ok",
    conditions: [],
    policies: [],
    clockOffsetMs: 0,
    facts: {
      hostName: "pc",
      system: "linux",
      architecture: "x64",
      agentVersion: "1.2.3",
      kind: "server",
      addresses: [],
      labels: {},
    },
    fingerprint: {},
    ...given,
  };
}
