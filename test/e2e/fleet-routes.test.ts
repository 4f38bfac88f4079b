/** A real machine whose repository gets another route while the machine, or its server, is away. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { RepositoryAnswer } from "../../protocol/management/repositories.ts";
import { until } from "../daemon/daemon-scene.ts";
import { ManagedScene } from "../fleet/managed-scene.ts";
import { ServerScene } from "../fleet/server-scene.ts";

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
});
