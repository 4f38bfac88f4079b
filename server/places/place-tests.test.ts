import type { AddressInfo, Socket } from "node:net";
import { createServer } from "node:net";
import { expect, it } from "vitest";
import type { RepositoryRoute } from "../../protocol/control/repository-route.ts";
import { type GatewayMachine, GatewayScene } from "../../test/gateway/gateway-scene.ts";
import { FakeGoogle } from "../../test/object-storage/google-fake/fake-google.ts";
import { eachGround, type TestGround } from "../../test/server/test-ground.ts";
import { secretContext } from "../ground/tenant-secret.ts";
import { PlaceTests } from "./place-tests.ts";

const actor = "token:x";

async function keep(
  { database, vault, now }: TestGround,
  tenantId: string,
  name: string,
  text: string,
): Promise<void> {
  const row = {
    id: `${tenantId}-${name}`,
    tenant_id: tenantId,
    name,
    sealed: vault.seal(Buffer.from(text), secretContext(tenantId, name)),
    previous_sealed: null,
    created_ms: now(),
    version: 1,
  };
  await database.insertInto("secrets").values(row).execute();
}

async function route(
  { database }: TestGround,
  { repositoryId }: GatewayMachine,
  ...routes: RepositoryRoute[]
): Promise<void> {
  await database
    .updateTable("repositories")
    .set({ routes: JSON.stringify(routes) })
    .where("id", "=", repositoryId)
    .execute();
}

eachGround("tests of the places of repositories", (ground) => {
  it("are really done with the account of the route, and their findings are kept with the time", async () => {
    const gateway = new GatewayScene(ground());
    await gateway.start();
    const machine = await gateway.machine();
    const { tenantId, repositoryId, agentId, password } = machine;
    const account = `RESTIC_REST_USERNAME=${agentId}\nRESTIC_REST_PASSWORD=${password}\n`;
    await keep(ground(), tenantId, "account", account);
    const url = gateway.address(machine);
    await route(ground(), machine, { kind: "direct", url, secret: "account" }, { kind: "gateway" });
    const tests = new PlaceTests({ ground: ground(), environment: {} });
    expect(await tests.last(tenantId, repositoryId)).toEqual({ testedMs: null, places: [] });
    const tested = await tests.test(actor, tenantId, repositoryId);
    expect(tested.testedMs).toBe(ground().now());
    expect(tested.places).toMatchObject([{ route: "direct", place: url }]);
    expect(tested.places[0]?.findings.map(({ check, verdict }) => `${check} ${verdict}`)).toEqual(
      ["reach", "list", "write", "read", "create-only", "remove"].map((check) => `${check} good`),
    );
    expect(await tests.last(tenantId, repositoryId)).toEqual(tested);
    const { details } = await ground()
      .database.selectFrom("audit")
      .select("details")
      .where("action", "=", "repository.test")
      .executeTakeFirstOrThrow();
    expect(JSON.parse(details)).toMatchObject({ bad: 0 });
    // What it was tested before is no longer the last.
    await gateway.stop();
    ground().advance(1000);
    const gone = await tests.test(actor, null, repositoryId);
    expect(gone.places[0]?.findings).toMatchObject([{ check: "reach", verdict: "bad" }]);
    expect(await tests.last(null, repositoryId)).toEqual(gone);
    expect(JSON.stringify([tested, gone, details, ground().logged])).not.toContain(password);
    const unknown = { code: "RESOURCE_UNKNOWN" };
    await expect(tests.last("another", repositoryId)).rejects.toMatchObject(unknown);
    await expect(tests.test(actor, "another", repositoryId)).rejects.toMatchObject(unknown);
  });

  it("say what can't be looked at, or not be used at all", async () => {
    const machine = await new GatewayScene(ground()).machine();
    const { tenantId } = machine;
    await keep(ground(), tenantId, "odd", "no account");
    const tests = new PlaceTests({ ground: ground(), environment: {}, placeMs: 200 });
    const first = async (...routes: RepositoryRoute[]) =>
      (await tests.testRoutes(tenantId, routes)).places[0];
    const direct = (url: string, secret?: string): RepositoryRoute => ({
      kind: "direct",
      url,
      ...(secret !== undefined && { secret }),
    });
    expect(await first({ kind: "gateway" })).toBeUndefined();
    expect((await first(direct("/mnt/{agent}")))?.findings).toMatchObject([
      { check: "reach", verdict: "unknown" },
    ]);
    const storage = { url: "s3:http://127.0.0.1:9/bucket", secret: "missing" };
    expect(await first({ kind: "gateway", storage })).toMatchObject({
      route: "gateway",
      place: storage.url,
      findings: [{ check: "reach", verdict: "bad" }],
    });
    for (const bad of [
      direct("rest:http://127.0.0.1:9/{tenant}/{agent}/"),
      direct("nothing:known"),
      direct("s3:https://192.0.2.1", "odd"),
    ]) {
      const place = await first(bad);
      expect(place?.findings).toMatchObject([{ check: "reach", verdict: "bad" }]);
      expect(place?.place).not.toContain("{");
      expect(place?.findings[0]?.remedy).toBeTruthy();
    }
  });

  it("end when a place takes too long", async () => {
    const held = new Set<Socket>();
    const silent = createServer((socket) => held.add(socket.on("error", () => undefined)));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as AddressInfo;
    const { tenantId } = await new GatewayScene(ground()).machine();
    const tests = new PlaceTests({ ground: ground(), environment: {}, placeMs: 50 });
    const url = `rest:http://127.0.0.1:${port}/`;
    const { places } = await tests.testRoutes(tenantId, [{ kind: "direct", url }]);
    expect(places[0]?.findings.at(-1)).toMatchObject({
      check: "reach",
      verdict: "bad",
      found: expect.stringContaining("longer than"),
    });
    for (const socket of held) socket.destroy();
    silent.close();
  });

  it("object to a place without locks only where machines may lock", async () => {
    const google = await FakeGoogle.start();
    google.bucket("locked").settings.objectRetention = true;
    google.bucket("loose");
    const environment = { STORAGE_EMULATOR_HOST: google.url, GOOGLE_PROJECT_ID: "tests" };
    const { tenantId } = await new GatewayScene(ground()).machine();
    const tests = new PlaceTests({ ground: ground(), environment });
    const verdict = async (url: string, mayLock: boolean): Promise<string | undefined> => {
      const storage = { url, mayLock };
      const { places } = await tests.testRoutes(tenantId, [{ kind: "gateway", storage }]);
      return places[0]?.findings.find(({ check }) => check === "retention-lock")?.verdict;
    };
    expect(await verdict("gs:locked:/x", true)).toBe("good");
    expect(await verdict("gs:loose:/x", true)).toBe("bad");
    expect(await verdict("gs:loose:/x", false)).toBe("good");
    // A test locks nothing.
    expect([...google.bucket("locked").live.keys()]).toEqual([]);
    await google.stop();
  });

  it("object to a class of packs that the storage does not have", async () => {
    const google = await FakeGoogle.start();
    google.bucket("cool");
    const environment = { STORAGE_EMULATOR_HOST: google.url, GOOGLE_PROJECT_ID: "tests" };
    const { tenantId } = await new GatewayScene(ground()).machine();
    const tests = new PlaceTests({ ground: ground(), environment });
    const verdict = async (storageClass?: string): Promise<string | undefined> => {
      const storage = { url: "gs:cool:/x", ...(storageClass !== undefined && { storageClass }) };
      const { places } = await tests.testRoutes(tenantId, [{ kind: "gateway", storage }]);
      return places[0]?.findings.find(({ check }) => check === "storage-class")?.verdict;
    };
    expect([await verdict("NEARLINE"), await verdict(), await verdict("STANDARD_IA")]).toEqual([
      "good",
      "good",
      "bad",
    ]);
    await google.stop();
  });
});
