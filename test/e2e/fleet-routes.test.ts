/** A real machine whose repository gets another route while the machine, or its server, is away. */
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { RepositoryAnswer } from "../../protocol/management/repositories.ts";
import { until } from "../daemon/daemon-scene.ts";
import { ManagedScene } from "../fleet/managed-scene.ts";
import { ServerScene } from "../fleet/server-scene.ts";
import { compareTrees } from "../tree-comparison.ts";

describe.skipIf(process.platform === "win32")("the routes of a machine with a server", () => {
  let server: ServerScene;
  let scene: ManagedScene;

  beforeAll(async () => {
    server = await ServerScene.start();
  });
  afterAll(async () => await server.remove());
  beforeEach(async () => {
    scene = await ManagedScene.make(server);
  });
  afterEach(async () => await scene.remove());

  const repository = async (): Promise<RepositoryAnswer> => {
    const { body } = await server.client().get(`/api/v1/repositories/${scene.repositoryId}`);
    return body as RepositoryAnswer;
  };

  it("stay while machines go by them, and a change is said by the session that makes it", async () => {
    await scene.setRoutes([{ kind: "direct", url: scene.gatewayFolder }]);
    await scene.addPolicy();
    await scene.join();
    expect(await scene.run()).toMatchObject({ route: "direct", outcome: "success" });
    await until("the machine has said by which destination it goes", async () =>
      (await repository()).retiring.every(({ unconfirmed }) => unconfirmed === 0),
    );
    await scene.machine.end();
    await scene.setRoutes([{ kind: "gateway" }]);
    expect((await repository()).retiring.at(-1)).toMatchObject({
      route: { kind: "direct" },
      unconfirmed: 1,
    });
    const retire = ["repository", "retire-route", scene.repositoryId];
    expect((await server.cli(retire)).stderr).toContain("1 machine has not confirmed");

    await server.endReplica();
    await scene.machine.start();
    expect(await scene.run(), "as it was told last").toMatchObject({ route: "direct" });
    await server.startReplica();
    await scene.sync();
    await until("the machine has confirmed", async () =>
      (await repository()).retiring.every(({ unconfirmed }) => unconfirmed === 0),
    );
    expect(await server.succeed(retire)).toContain("have ended");
    const { stdout } = await scene.machine.cli(["status"]);
    expect(stdout).toContain("through the gateway");
    const moved = await scene.run();
    expect(moved.route).toBe("gateway");
    expect(moved.locationBefore).toMatch(/repositories/);
    const shown = await scene.machine.cli(["session", moved.id]);
    expect(shown.stdout).toContain("the session before went to");
    const log = await scene.machine.cli(["log"]);
    expect(log.stdout).toContain("went another way");
    const { report } = await scene.report(moved.id);
    expect(report).toMatchObject({ route: "gateway", session: { location: moved.location } });
    expect((await scene.run()).locationBefore).toBeUndefined();
  });

  it("lead to a member of a pool, which is closed and followed by another while the server is away", async () => {
    const { tenantId } = scene;
    const post = async (body: object): Promise<RepositoryAnswer> =>
      (await server.client().post("/api/v1/repositories", { tenantId, ...body }))
        .body as RepositoryAnswer;
    const ids: Record<string, string> = {};
    for (const name of ["a", "b"]) {
      const made = await post({ name, routes: [{ kind: "gateway" }] });
      ids[name] = made.id;
      const url = scene.gatewayFolder.replace(scene.repositoryId, made.id);
      await scene.setRoutes([{ kind: "gateway" }, { kind: "direct", url }], made.id);
    }
    const member = async (...words: string[]): Promise<string> =>
      await server.succeed(["repository", "member", ...words, "--tenant", tenantId]);
    await member("add", "pool", "a");
    await member("add", "pool", "b");
    await scene.addPolicy({ destination: { repository: "backstay:pool" } });
    await scene.join();
    const first = await scene.run();
    expect(first).toMatchObject({ outcome: "success", repository: `backstay:${ids["a"]}` });

    // The machine is away when it is decided, and the server is away when the machine is back.
    await scene.machine.end();
    expect(await member("set-state", "a", "maintenance")).toContain("1 of 1 machines");
    const notice = scene.gatewayFolder
      .replace(scene.repositoryId, ids["a"] ?? "")
      .replace("{tenant}", tenantId)
      .replace("{agent}", (await scene.agent()).id);
    await server.endReplica();
    // It tells the storages when it begins.
    await server.startReplica();
    await until("the storage has been told", async () =>
      Promise.resolve(
        existsSync(path.join(notice, "backstay")) &&
          readdirSync(path.join(notice, "backstay")).length > 0,
      ),
    );
    await server.endReplica();
    await scene.machine.start();
    expect((await scene.machine.cli(["run", "documents", "--wait"])).exitCode).not.toBe(0);
    const refused = await scene.machine.session();
    expect(refused).toMatchObject({
      outcome: "canceled",
      endedBy: { by: "repository" },
      stand: { modes: ["maintenance"], source: "storage" },
    });
    expect(refused.failure).toBeUndefined();
    const status = await scene.machine.cli(["status"]);
    expect(status.stdout).toContain("in maintenance (so says its storage)");
    const { health, policies } = await scene.machine.status();
    expect(health.reasons).toContainEqual(
      expect.objectContaining({ code: "REPOSITORY_MAINTENANCE", severity: "info" }),
    );
    expect(policies[0]?.failuresSinceGood).toBe(0);

    await server.startReplica();
    await scene.sync();
    await until("the machine has said that it obeys", async () =>
      (await member("list", "pool")).includes("maintenance  1         maintenance"),
    );
    await member("set-state", "a", "sealed");
    await scene.sync();
    const second = await scene.run();
    expect(second).toMatchObject({ outcome: "success", repository: `backstay:${ids["b"]}` });
    expect(second.figures?.parentId, "a new chain").toBeUndefined();
    const target = scene.machine.at("restored");
    const restore = ["restore", "latest", "--policy", "documents", "--target", target];
    const restored = await scene.machine.cli([...restore, "--from", "a"]);
    expect(restored.exitCode, restored.stderr).toBe(0);
    const source = scene.machine.at("source");
    expect(compareTrees(source, path.join(target, source)).differenceCount).toBe(0);
    expect((await scene.machine.cli([...restore, "--from", "main"])).stderr).toContain("a");
    const { stdout } = await scene.machine.cli(["check", "--policy", "documents", "--from", "a"]);
    expect(stdout).toContain("no errors");
    const check = { kind: "check", policy: "documents", data: "structure" } as const;
    expect(await scene.command({ ...check, from: "a" })).toMatchObject({ state: "succeeded" });
    expect(await scene.command({ ...check, from: "main" })).toMatchObject({
      state: "rejected",
      errorCode: "POLICY_SCOPE",
    });
  });
});
