/** What backups ask of a storage that charges for requests: counted, told, and estimated beforehand. */
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EngineScene } from "../engine/engine-scene.ts";
import { FaultProxy } from "../object-storage/fault-proxy.ts";
import { describeWithPeers } from "../peers.ts";
import { type RunningServer, startRestServer } from "../rest/rest-servers.ts";
import { CliScene, password } from "./cli-scene.ts";

const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

describeWithPeers("over a server that sees each request", ["restServer"], ({ restServer }) => {
  const scene = new CliScene();
  let server: RunningServer;
  let proxy: FaultProxy;
  beforeAll(async () => {
    server = await startRestServer(restServer, path.join(scene.folder, "served"));
    proxy = await FaultProxy.start(server.url);
  });
  afterAll(async () => {
    await proxy.stop();
    await server.stop();
    scene.remove();
  });

  it("a backup tells on the command line what went over the line", async () => {
    const variables = {
      BACKSTAY_REPOSITORY: `rest:${proxy.url}/cli/`,
      BACKSTAY_PASSWORD: password,
    };
    expect((await scene.start(["init"], variables)).exitCode).toBe(0);
    proxy.follow(() => undefined);
    const { stdout } = await scene.start(
      ["backup", scene.source, "--json", "--no-cache"],
      variables,
    );
    const [told] = stdout
      .split("\n")
      .filter((line) => line.includes('"summary"'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const { seen } = proxy;
    const counted = told?.["requests"] as Record<string, number>;
    // The lock is taken away after the summary.
    const before = seen.filter(({ method }) => method !== "DELETE");
    expect(sum(Object.values(counted)) - counted["delete"]).toBe(before.length);
    expect(told?.["request_bytes_up"]).toBe(sum(before.map(({ bytesUp }) => bytesUp)));
    expect(told?.["request_bytes_down"]).toBe(sum(before.map(({ bytesDown }) => bytesDown)));
    const again = await scene.start(["backup", scene.source, "-v", "--no-cache"], variables);
    expect(again.stdout).toMatch(/^Requests: +\d+ put, \d+ get.*; [\d.]+ KiB sent, /m);
  });

  it("an engine reports what went over the line, also when it fails", async () => {
    const engine = new EngineScene();
    try {
      const routes = [{ kind: "direct", url: `rest:${proxy.url}/engine/` }] as const;
      const order = engine.order({
        repository: { routes, password: "an engine's", create: true },
      });
      const wrong = engine.order({
        repository: { routes, password: "another", create: true },
      });
      for (const [each, outcome] of [
        [order, "success"],
        [wrong, "failure"],
      ] as const) {
        proxy.follow(() => undefined);
        const { report } = await engine.run(each);
        expect(report).toMatchObject({ outcome });
        const { seen } = proxy;
        expect(sum(Object.values(report?.traffic?.requests ?? {}))).toBe(seen.length);
        expect(report?.traffic?.bytesUp).toBe(sum(seen.map(({ bytesUp }) => bytesUp)));
        expect(report?.traffic?.bytesDown).toBe(sum(seen.map(({ bytesDown }) => bytesDown)));
      }
    } finally {
      engine.remove();
    }
  });
});

describe("over a folder", () => {
  const scene = new CliScene();
  beforeAll(async () => await scene.init());
  afterAll(() => scene.remove());

  it("a dry run estimates what a month would cost with given prices", async () => {
    const prices = "put=0.005,get=0.0004,gb-month=0.023";
    const dry = ["backup", scene.source, "--dry-run", "--estimate", prices];
    const estimate = await scene.backstay.message("estimate", ...dry, "--daily-change", "5%");
    const requests = expect.objectContaining({ put: expect.any(Number) as number }) as object;
    expect(estimate).toMatchObject({
      first: { requests },
      daily: { requests },
      month: { keepingPrice: expect.any(Number) as number },
    });
    await scene.backUp();
    const [next] = await scene.backstay
      .messages(...dry)
      .then((messages) => messages.filter((message) => message["message_type"] === "estimate"));
    expect(next).not.toHaveProperty("first");
    const { stdout, exitCode } = await scene.start(dry, { BACKSTAY_PASSWORD: password });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Each daily run: +about \d+ put/m);
    const refused = await scene.start(["backup", scene.source, "--estimate", prices], {
      BACKSTAY_PASSWORD: password,
    });
    expect(refused.exitCode).not.toBe(0);
    expect(refused.stderr).toContain("--estimate goes with --dry-run");
  });
});
