import { expect, it } from "vitest";
import { agentStatus } from "../../../protocol/control/reports.ts";
import { DaemonInMemory } from "../../../test/local-api/daemon-in-memory.ts";
import { machineFacts } from "../../control/machine-facts.ts";
import { statusReport } from "./status-report.ts";

it("says how each policy stands, in a form that every server takes", () => {
  const daemon = new DaemonInMemory();
  daemon.addPolicy("etc");
  for (let i = 0; i < 300; i += 1) daemon.addPolicy(`policy-${i}`);
  const status = daemon.status();
  const report = statusReport({
    status: {
      ...status,
      conditions: [
        {
          code: "POLICY_INVALID",
          subject: "s".repeat(1000),
          severity: "error",
          sinceMs: 0,
          text: "t".repeat(10_000),
          remedy: "",
        },
      ],
    },
    inForce: new Map(),
    bundle: { state: "none" },
    facts: machineFacts({}, undefined),
    fingerprint: { system: "x" },
    clockOffsetMs: 5000,
  });
  expect(agentStatus.parse(report)).toEqual(report);
  expect(report.timeMs).toBe(status.timeMs + 5000);
  expect(report.health).toBe("error");
  expect(report.policies).toHaveLength(200);
  expect(report.policies[0]).toMatchObject({ policy: "etc", origin: "local" });
});
