/** A small swarm, so that the big one works on the day when somebody wants its figures. */
import { afterEach, expect, it } from "vitest";
import { swarmOptions } from "../swarm/swarm-options.ts";
import { swarmReport } from "../swarm/swarm-report.ts";
import { SwarmTrial } from "../swarm/swarm-trial.ts";

let trial: SwarmTrial | undefined;
afterEach(async () => await trial?.end());

it("forty machines enrol, get policies and commands, and report through an outage", async () => {
  const options = swarmOptions([
    ...["--agents", "40", "--seconds", "2", "--haste", "600", "--session-every", "3600"],
    ...["--policy-change", "--command", "2", "--outage", "1"],
  ]);
  trial = new SwarmTrial(options, () => undefined);
  const result = await trial.run();
  expect(result.reports.made).toBeGreaterThan(0);
  expect(result.reports).toMatchObject({ lost: 0, doubled: 0 });
  expect(result.refusals).toEqual({ count: 0, first: [] });
  expect(result.commandsDoneTwice).toBe(0);
  expect(result.commands?.count).toBe(2);
  expect(result.steady.routes).toHaveProperty("bundle");
  const text = swarmReport(options, result).join("\n");
  expect(text).toContain("all waits 600 times as short as in reality");
  expect(text).not.toMatch(/NaN|undefined/);
});
