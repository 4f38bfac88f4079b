/**
 * A process that runs jobs as the daemon does, until it is killed or its input ends. Its argument is JSON: the folder
 * of the scene, and the real engine's order. Says on its output, one line each, the states that sessions reach.
 */
import { writeSync } from "node:fs";
import path from "node:path";
import { usualWatch } from "../../agent/jobs/engine-run.ts";
import { engineSpawner } from "../../agent/jobs/engine-spawner.ts";
import { JobRunner } from "../../agent/jobs/job-runner.ts";
import type { PreparedRun } from "../../agent/jobs/jobs.ts";
import { openState } from "../../agent/state/open-state.ts";
import { openClock } from "../../platform/open-clock.ts";
import { openProcessLimits } from "../../platform/open-process-limits.ts";

interface ChildArguments {
  readonly folder: string;
  readonly engine: string;
  readonly order: PreparedRun["order"];
  /** Asks for a run at the start. */
  readonly asks: boolean;
}

const given = JSON.parse(process.argv[2] ?? "{}") as ChildArguments;
const say = (text: string): void => void writeSync(1, `${text}\n`);
const fail = (error: unknown): never => {
  throw error instanceof Error ? error : new Error(String(error));
};

const state = openState({
  folder: path.join(given.folder, "state"),
  nowMs: () => Date.now(),
  onTrouble: fail,
});
const jobs = new JobRunner({
  state,
  clock: openClock(),
  limits: openProcessLimits(),
  watch: usualWatch,
  spawnEngine: engineSpawner({ file: given.engine, environment: process.env }),
  environment: process.env,
  reportFolder: path.join(given.folder, "reports"),
  prepare: async () => ({ order: given.order, durationLimitMs: 600_000 }),
  scripts: () => ({}),
  hold: () => undefined,
  keys: () => undefined,
  account: async () => fail(new Error("there is no server")),
  sessionsAtOnce: 2,
  onFailure: fail,
});
jobs.subscribe({
  changed: (session) =>
    say(
      `${session.id} ${session.state} ${session.outcome ?? "-"} ${session.engine?.processId ?? 0}`,
    ),
});
jobs.start();
if (given.asks)
  jobs.request({
    policy: "documents",
    cause: { kind: "manual", text: "by hand" },
    priority: 0,
    repository: given.order.repository.routes[0].url,
  });
say("started");
process.stdin.resume();
process.stdin.once("end", () => {
  void jobs.stop(20_000).then(() => {
    state.close();
    process.exit(0);
  });
});
