/** The real engine locking what it is told to lock, at our stand-in for Google; storages that can't are refused. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { RepositoryOrder } from "../../protocol/run-order.ts";
import { EngineScene, scenePassword } from "../engine/engine-scene.ts";
import { FakeGoogle } from "../object-storage/google-fake/fake-google.ts";

const dayMs = 86_400_000;

let scene: EngineScene;
let google: FakeGoogle;
beforeEach(async () => {
  scene = new EngineScene();
  google = await FakeGoogle.start();
  google.bucket("locked").settings.objectRetention = true;
});
afterEach(async () => {
  scene.remove();
  await google.stop();
});

function atGoogle(given: Partial<RepositoryOrder> = {}): RepositoryOrder {
  const settings = { STORAGE_EMULATOR_HOST: google.url, GOOGLE_PROJECT_ID: "tests" };
  return {
    routes: [{ kind: "direct", url: "gs:locked:/x", settings }],
    password: scenePassword,
    create: true,
    ...given,
  };
}

it("tells until when its restore point is locked, and what could not be, and is done all the same", async () => {
  const first = await scene.run(scene.order({ repository: atGoogle() }));
  expect(first.report).toMatchObject({ outcome: "success" });
  expect(first.report?.backup).not.toHaveProperty("lockedUntilMs");
  const locked = atGoogle({
    immutability: { mode: "compliance", days: 3 },
    storageClass: "NEARLINE",
  });
  const { live } = google.bucket("locked");
  const [lost = ""] = [...live.keys()].filter((name) => name.startsWith("x/data/"));
  live.delete(lost);
  const second = await scene.run(scene.order({ repository: locked }));
  expect(second.report).toMatchObject({
    outcome: "success",
    issues: 1,
    backup: { lockProblem: expect.stringContaining("not there: 1") },
  });
  expect(second.messages).toContainEqual({
    type: "issue",
    issue: expect.objectContaining({ code: "LOCKS_SHORT" }),
  });
  const startMs = Date.now();
  const third = await scene.run(scene.order({ repository: locked }));
  expect(third.report).toMatchObject({ outcome: "success", issues: 0 });
  const untilMs = third.report?.backup?.lockedUntilMs ?? 0;
  expect(untilMs).toBeGreaterThanOrEqual(startMs + 3 * dayMs);
  const packs = [...live].filter(([name]) => name.startsWith("x/data/"));
  const classes = new Set(packs.map(([, { settings }]) => settings.storageClass));
  expect(classes).toEqual(new Set([undefined, "NEARLINE"]));
  const others = [...live].filter(([name]) => !name.startsWith("x/data/"));
  for (const [, { settings }] of others) expect(settings.storageClass).toBeUndefined();
  for (const [, { settings }] of packs)
    expect(Date.parse(settings.retention?.retainUntilTime ?? "")).toBeGreaterThanOrEqual(untilMs);
});

it("refuses a storage that can't lock", async () => {
  const order = scene.order();
  const repository: RepositoryOrder = {
    ...order.repository,
    immutability: { mode: "governance", days: 1 },
  };
  const { report } = await scene.run({ ...order, repository });
  expect(report).toMatchObject({ outcome: "failure", error: { code: "STORE_LACKS" } });
});
