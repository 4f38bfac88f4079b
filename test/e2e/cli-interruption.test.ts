/** Ctrl-C and its kin, and readers that go away. */
import { once } from "node:events";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { CliScene, type Ending, password } from "./cli-scene.ts";

let scene: CliScene;
beforeAll(async () => {
  scene = new CliScene();
  await scene.init();
  await scene.backUp();
  mkdirSync(scene.at("wide"));
  for (let i = 0; i < 3000; i += 1) writeFileSync(scene.at("wide", `${"n".repeat(80)}${i}`), "");
});
afterAll(() => scene.remove());

const filesOf = (kind: string): string[] => readdirSync(path.join(scene.repository, kind));
const given = { BACKSTAY_PASSWORD: password };

/** Resolves once a lock lies in the repository, so that a session is under way. */
async function lockTaken(): Promise<void> {
  for (let tries = 0; tries < 2000; tries += 1) {
    if (filesOf("locks").length > 0) return;
    await sleep(5);
  }
  throw new Error("no lock was taken");
}

it.each(["SIGINT", "SIGTERM"] as const)(
  "%s during a backup: 130, no snapshot, no lock, and the next run goes through",
  async (signal) => {
    const before = filesOf("snapshots");
    // Slow enough to be met: a tenth of the data a second.
    const args = ["backup", scene.source, "--force", "--tag", signal, "--limit-upload", "1"];
    const target = scene.at(`repository-${signal}`);
    const place = { ...given, BACKSTAY_REPOSITORY: target };
    await scene.start(["init"], place);
    const ending = await scene.start(args, place, (child) => {
      const meet = async (): Promise<void> => {
        while (readdirSync(path.join(target, "locks")).length === 0) await sleep(5);
        child.kill(signal);
      };
      void meet();
    });
    expect(ending).toMatchObject({ exitCode: 130, signal: null, stdout: "" });
    expect(ending.stderr).toContain(signal);
    expect(ending.stderr).toMatch(/error: Interrupted/);
    expect(readdirSync(path.join(target, "locks"))).toEqual([]);
    expect(readdirSync(path.join(target, "snapshots"))).toEqual([]);
    expect(filesOf("snapshots")).toEqual(before);
    expect(await scene.start(["backup", scene.source], place)).toMatchObject({ exitCode: 0 });
    expect(await scene.start(["check", "--read-data"], place)).toMatchObject({ exitCode: 0 });
  },
);

it("SIGHUP without a closed terminal ends nothing: restic asks so whether the holder of a lock lives", async () => {
  const count = filesOf("snapshots").length;
  const ending = await scene.start(["backup", scene.source, "--force"], given, (child) => {
    void lockTaken().then(() => child.kill("SIGHUP"));
  });
  expect(ending).toMatchObject({ exitCode: 0, signal: null });
  expect(filesOf("snapshots")).toHaveLength(count + 1);
});

/** Interrupts a command that waits for something, once it has come to that: the slower the machine, the later. */
async function interruptWaiting(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Ending> {
  for (const delayMs of [1500, 6000, 20_000]) {
    const ending = await scene.start(args, environment, (child) => {
      void sleep(delayMs).then(() => child.kill("SIGINT"));
    });
    // Ended by the signal itself: it had not begun yet.
    if (ending.signal === null) return ending;
  }
  throw new Error("it never came to handle signals");
}

it("with --json an interruption is an exit_error of code 130", async () => {
  // It waits for a password on its standard input.
  const ending = await interruptWaiting(["snapshots", "--json"], {});
  expect(ending).toMatchObject({ exitCode: 130, stdout: "" });
  const messages = ending.stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  expect(messages.at(-1)).toMatchObject({ message_type: "exit_error", code: 130 });
});

it("waiting for a lock can be interrupted, and times out", async () => {
  const locks = path.join(scene.repository, "locks");
  let letGo = (): void => undefined;
  // It holds the exclusive lock and waits for the new password.
  const holder = scene.start(["key", "passwd"], given, (child) => {
    letGo = () => void child.stdin.end();
  });
  await lockTaken();
  const refused = await scene.start(["snapshots"], given);
  expect(refused).toMatchObject({ exitCode: 11, stdout: "" });
  expect(refused.stderr).toMatch(/holder: .*pid: \d+/);
  expect((await scene.start(["snapshots", "--no-lock"], given)).exitCode).toBe(0);
  const impatient = await scene.start(["backup", scene.source, "--retry-lock", "1s"], given);
  expect(impatient.exitCode).toBe(11);
  const interrupted = await interruptWaiting(["snapshots", "--retry-lock", "10m"], given);
  expect(interrupted.exitCode).toBe(130);
  letGo();
  expect((await holder).exitCode).toBe(1);
  expect(readdirSync(locks)).toEqual([]);
});

it("a list ends when nobody reads it any more; a backup goes on", async () => {
  await scene.start(["backup", scene.at("wide")], given);
  const listed = await scene.start(["ls", "latest"], given, (child) => {
    void once(child.stdout, "data").then(() => child.stdout.destroy());
  });
  expect(listed).toMatchObject({ exitCode: 1 });
  expect(listed.stderr).not.toContain("error");
  const count = filesOf("snapshots").length;
  const saved = await scene.start(["backup", scene.source, "--json"], given, (child) =>
    child.stdout.destroy(),
  );
  expect(saved).toMatchObject({ exitCode: 0 });
  expect(filesOf("snapshots")).toHaveLength(count + 1);
});
