import { expect, it } from "vitest";
import { agentStatus } from "../../../protocol/control/reports.ts";
import { DaemonInMemory } from "../../../test/local-api/daemon-in-memory.ts";
import { sampleSession } from "../../../test/state/state-samples.ts";
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
    destinations: [],
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

it("says by which destinations it goes: what runs holds it to the one of its beginning", () => {
  const daemon = new DaemonInMemory();
  daemon.addPolicy("etc");
  const status = daemon.status();
  const session = sampleSession({
    repository: "backstay:a",
    state: "running",
    destinationEpoch: 6,
  });
  const report = statusReport({
    status: { ...status, running: [{ session }] },
    inForce: new Map(),
    bundle: { state: "applied" },
    destinations: [
      { repositoryId: "a", epoch: 7, stand: undefined },
      { repositoryId: "b", epoch: 7, stand: { modes: ["sealed"], number: 3 } },
    ],
    facts: machineFacts({}, undefined),
    fingerprint: {},
    clockOffsetMs: 0,
  });
  expect(report.destinations).toEqual([
    { repositoryId: "a", epoch: 6, isBusy: true },
    { repositoryId: "b", epoch: 7, standNumber: 3, isBusy: false },
  ]);
});
