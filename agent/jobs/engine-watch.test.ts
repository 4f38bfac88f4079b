import { readFileSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { openProcessLimits } from "../../platform/open-process-limits.ts";
import { JobsScene, preparedRun } from "../../test/jobs/jobs-scene.ts";
import {
  canceledReport,
  goodReport,
  say,
  sayProgress,
  sayReport,
  shellEngine,
} from "../../test/jobs/shell-engine.ts";
import type { EngineWatch } from "./engine-run.ts";
import type { JobRunnerOptions } from "./job-runner.ts";

let scene: JobsScene;
const limits = openProcessLimits();

afterEach(async () => {
  expect(scene.failures).toEqual([]);
  await scene.remove();
});

const watch: EngineWatch = { tickMs: 20, silenceMs: 60_000, stallMs: 60_000, graceMs: 5000 };

function begin(lines: readonly string[], options: Partial<JobRunnerOptions> = {}): JobsScene {
  scene = new JobsScene({ spawnEngine: shellEngine(...lines), watch, ...options });
  scene.jobs.start();
  return scene;
}

it("an engine that says nothing is killed, with all that it has started", async () => {
  const ids = "ids";
  scene = new JobsScene({
    watch: { ...watch, silenceMs: 200 },
    spawnEngine: () =>
      shellEngine(
        "trap '' TERM",
        `sleep 600 & echo $! $$ > ${scene.at(ids)}`,
        "while :; do sleep 1; done",
      )(),
  });
  scene.jobs.start();
  const session = await scene.run("a");
  expect(session).toMatchObject({ outcome: "failure", failure: { code: "ENGINE_HUNG" } });
  const processes = readFileSync(scene.at(ids), "utf8").trim().split(" ").map(Number);
  await expect.poll(() => processes.filter((id) => limits.startOf(id) !== undefined)).toEqual([]);
  // The queue goes on.
  scene.restart({});
  scene.jobs.start();
  expect(await scene.run("a")).toMatchObject({ outcome: "success" });
});

it("an engine that lives without getting on is asked to end", async () => {
  begin(
    [
      sayProgress(1),
      `trap '${sayReport(canceledReport).replaceAll("'", "'\\''")}; exit 130' TERM`,
      `while :; do ${say({ type: "alive" })}; ${sayProgress(1)}; sleep 0.05; done`,
    ],
    { watch: { ...watch, stallMs: 300 } },
  );
  const session = await scene.run("a");
  expect(session).toMatchObject({ outcome: "failure", failure: { code: "ENGINE_STALLED" } });
});

it("an engine that is slow but gets on is left alone", async () => {
  const steps = Array.from({ length: 10 }, (_, i) => `${sayProgress(i)}; sleep 0.06`);
  begin([...steps, sayReport(goodReport)], { watch: { ...watch, stallMs: 300, silenceMs: 300 } });
  expect(await scene.run("a")).toMatchObject({ outcome: "success" });
});

it("an engine that takes too much memory is killed, and the figures are told", async () => {
  begin([`x=$(head -c 40000000 /dev/zero | tr '\\0' x)`, "while :; do sleep 1; done"], {
    prepare: async () => preparedRun({ memoryLimitBytes: 20 * 1024 * 1024 }),
  });
  const session = await scene.run("a");
  expect(session).toMatchObject({ outcome: "failure", failure: { code: "ENGINE_MEMORY" } });
  expect(session.failure?.message).toMatch(/takenMiB: [2-9]\d+, limitMiB: 20/);
});

it("a session beyond its time is asked to end in order", async () => {
  begin(
    [sayProgress(1), "trap '' TERM", "cat > /dev/null", sayReport(canceledReport), "exit 130"],
    {
      prepare: async () => preparedRun({ durationLimitMs: 100 }),
    },
  );
  const session = await scene.run("a");
  expect(session).toMatchObject({ outcome: "failure", failure: { code: "SESSION_TOO_LONG" } });
});

it("an engine that does not end when asked is killed", async () => {
  begin(["trap '' TERM", sayProgress(1), "while :; do sleep 1; done"], {
    watch: { ...watch, graceMs: 100 },
  });
  const session = scene.request("a");
  await scene.reached("a", "running");
  scene.jobs.cancel(session.id, { by: "window", text: "the window closed" });
  expect(await scene.ended(session)).toMatchObject({
    outcome: "canceled",
    endedBy: { by: "window" },
  });
});

it.each([
  ["ends without a report", ["echo some last words >&2", "exit 7"], /exitCode: 7/],
  ["is killed", ["echo some last words >&2", "kill -9 $$"], /signal: SIGKILL/],
  ["talks nonsense", ["echo some last words >&2", "echo nonsense", "sleep 600"], /no message/],
])("an engine that %s makes a failed session with its last words", async (_what, lines, text) => {
  begin(lines);
  const session = await scene.run("a");
  expect(session).toMatchObject({
    outcome: "failure",
    failure: { code: "ENGINE_DIED", lastWords: "some last words" },
  });
  expect(session.failure?.message).toMatch(text);
});

it("an engine that can't be started makes a failed session", async () => {
  begin([], {
    spawnEngine: () => {
      throw Object.assign(new Error("spawn EAGAIN"), { code: "EAGAIN" });
    },
  });
  expect(await scene.run("a")).toMatchObject({ failure: { code: "ENGINE_UNSTARTABLE" } });
});

it("an engine that reports a failure passes it on", async () => {
  const error = {
    code: "STORE_FULL",
    kind: "permanent",
    message: "full",
    remedy: "Free space.",
  } as const;
  begin([sayReport({ outcome: "failure", exitCode: 1, issues: 4, error }), "exit 1"]);
  expect(await scene.run("a")).toMatchObject({
    outcome: "failure",
    exitCode: 1,
    issues: 4,
    failure: error,
  });
});

it("an engine that somebody else ended makes an interrupted session", async () => {
  begin([sayReport(canceledReport), "exit 130"]);
  expect(await scene.run("a")).toMatchObject({
    outcome: "interrupted",
    failure: { code: "SESSION_INTERRUPTED" },
  });
});
