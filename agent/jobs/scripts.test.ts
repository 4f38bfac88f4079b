import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openProcessLimits } from "../../platform/open-process-limits.ts";
import { JobsScene } from "../../test/jobs/jobs-scene.ts";
import { goodReport, sayReport, shellEngine } from "../../test/jobs/shell-engine.ts";
import type { JobScript, JobScripts } from "./jobs.ts";

let scene: JobsScene;
let scripts: JobScripts;

beforeEach(() => {
  scene = new JobsScene({
    scripts: () => scripts,
    environment: { PATH: process.env["PATH"], SECRET: "x" },
  });
  scene.jobs.start();
});
afterEach(async () => {
  expect(scene.failures).toEqual([]);
  await scene.remove();
});

const shell = (text: string, given: Partial<JobScript> = {}): JobScript => ({
  command: ["/bin/sh", "-c", text],
  timeoutMs: 60_000,
  required: true,
  ...given,
});
const lives = (processId: number): boolean => openProcessLimits().startOf(processId) !== undefined;

describe("the scripts of a policy", () => {
  it("run around the engine, and are told what happens, without secrets", async () => {
    const log = scene.at("log");
    const note = (text: string): string => `echo ${text} >> ${log}`;
    scene.restart({
      scripts: () => ({
        preJob: shell(`${note("before")}; env`),
        postJob: shell(`${note("after")}; env`),
      }),
      spawnEngine: shellEngine(note("engine"), sayReport(goodReport)),
      environment: { PATH: process.env["PATH"], SECRET: "x" },
    });
    scene.jobs.start();
    const { id, scripts: results } = await scene.run("a");
    expect(readFileSync(log, "utf8")).toBe("before\nengine\nafter\n");
    expect(results).toMatchObject([
      { name: "preJob", outcome: "done", exitCode: 0 },
      { name: "postJob", outcome: "done", exitCode: 0 },
    ]);
    const [before = "", after = ""] = results.map(({ output }) => output);
    for (const output of [before, after]) {
      expect(output).toContain("BACKSTAY_POLICY=a");
      expect(output).toContain(`BACKSTAY_SESSION=${id}`);
      expect(output).not.toMatch(/SECRET|password/);
    }
    expect(before).not.toContain("BACKSTAY_OUTCOME");
    expect(after).toContain("BACKSTAY_OUTCOME=success");
  });

  it("that are required make the session fail: no engine after a failed preJob, postJob in any case", async () => {
    const done = scene.at("done");
    scripts = {
      preJob: shell("echo it is broken >&2; exit 3"),
      postJob: shell(`echo $BACKSTAY_OUTCOME > ${done}`),
    };
    const session = await scene.run("a");
    expect(session).toMatchObject({
      outcome: "failure",
      exitCode: 1,
      failure: { code: "SCRIPT_FAILED", message: expect.stringContaining("exitCode: 3") },
      scripts: [{ outcome: "failed", exitCode: 3, output: "it is broken" }, { outcome: "done" }],
    });
    expect(session.engine).toBeUndefined();
    expect(readFileSync(done, "utf8")).toBe("failure\n");
    scripts = { postJob: shell("exit 1") };
    const late = await scene.run("a");
    // The restore point is there all the same.
    expect(late).toMatchObject({ outcome: "failure", figures: { filesNew: 1 } });
    expect(scene.jobs.lastGood("a")?.id).toBe(late.id);
  });

  it("that are not required make a warning", async () => {
    const given = { required: false };
    scripts = { preJob: shell("exit 3", given), postJob: shell("exit 4", given) };
    const session = await scene.run("a");
    expect(session).toMatchObject({ outcome: "warning", issues: 2 });
    expect(scene.jobs.session(session.id)?.issues).toMatchObject([
      { code: "SCRIPT_FAILED", message: expect.stringContaining("preJob") },
      { code: "SCRIPT_FAILED", message: expect.stringContaining("postJob") },
    ]);
  });

  it("that can't be started say why", async () => {
    scripts = { preJob: { ...shell(""), command: ["/nowhere/at all"] } };
    const absent = await scene.run("a");
    expect(absent.scripts).toMatchObject([
      { outcome: "not-started", output: expect.stringContaining("ENOENT") },
    ]);
    const file = scene.at("script");
    writeFileSync(file, "#!/bin/sh\n");
    chmodSync(file, 0o600);
    scripts = { preJob: { ...shell(""), command: [file] } };
    expect((await scene.run("a")).scripts).toMatchObject([{ outcome: "not-started" }]);
  });

  it("that take too long are ended with all that they have started", async () => {
    const ids = scene.at("ids");
    scripts = {
      preJob: shell(`sleep 600 & echo $! $$ > ${ids}; wait`, { timeoutMs: 300 }),
    };
    const session = await scene.run("a");
    expect(session.scripts).toMatchObject([{ outcome: "timed-out" }]);
    expect(session.failure?.code).toBe("SCRIPT_FAILED");
    const processes = readFileSync(ids, "utf8").trim().split(" ").map(Number);
    expect(processes).toHaveLength(2);
    expect(processes.filter(lives)).toEqual([]);
  });

  it("are ended when their session is canceled; postJob still runs", async () => {
    const [begun, done] = [scene.at("begun"), scene.at("done")];
    scripts = {
      preJob: shell(`touch ${begun}; sleep 600`),
      postJob: shell(`echo $BACKSTAY_OUTCOME > ${done}`),
    };
    const session = scene.request("a");
    await expect.poll(() => existsSync(begun)).toBe(true);
    scene.jobs.cancel(session.id, { by: "user", text: "no" });
    expect(await scene.ended(session)).toMatchObject({
      outcome: "canceled",
      scripts: [
        { name: "preJob", outcome: "canceled" },
        { name: "postJob", outcome: "done" },
      ],
    });
    expect(readFileSync(done, "utf8")).toBe("canceled\n");
  });

  it("may print without end, and leave programs behind that keep their output open", async () => {
    const id = scene.at("id");
    scripts = {
      preJob: shell(
        `head -c 3000000 /dev/zero | tr '\\0' 'x'; echo end; sleep 60 & echo $! > ${id}`,
      ),
    };
    const session = await scene.run("a");
    expect(session.outcome).toBe("success");
    const output = session.scripts[0]?.output ?? "";
    expect(output).toMatch(/^…x+end$/);
    expect(output.length).toBeLessThan(9000);
    const left = Number(readFileSync(id, "utf8"));
    expect(lives(left)).toBe(true);
    process.kill(left);
  });
});
