/** Quotas and counts of the gateway on both databases, asked for by many at once. */
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type GatewayMachine, GatewayScene, hashed } from "../../test/gateway/gateway-scene.ts";
import { openUpload } from "../../test/gateway/open-upload.ts";
import { eachGround } from "../../test/server/test-ground.ts";

const fileBytes = 100;
const patient = { timeout: 30_000 };

eachGround("what the gateway counts", (ground) => {
  let scene: GatewayScene;
  beforeEach(async () => {
    scene = new GatewayScene(ground());
    await scene.start();
  });
  afterEach(async () => await scene.stop());

  async function create(machine: GatewayMachine): Promise<GatewayMachine> {
    expect((await scene.ask(machine, "POST", "?create=true")).status).toBe(200);
    return machine;
  }

  /** Status, with the code of a refusal. */
  async function upload(machine: GatewayMachine, type: string, body: Buffer): Promise<string> {
    const answer = await scene.ask(machine, "POST", `${type}/${hashed(body)}`, {
      body: new Uint8Array(body),
    });
    const code = /"code":"([a-z-]+)"/.exec(await answer.text())?.[1];
    return code === undefined ? String(answer.status) : `${answer.status} ${code}`;
  }

  /** How often each answer came to that many files sent at once by each machine. */
  async function flood(count: number, ...machines: GatewayMachine[]): Promise<object> {
    const answers = await Promise.all(
      machines.flatMap((machine) =>
        Array.from({ length: count }, () => upload(machine, "data", randomBytes(fileBytes))),
      ),
    );
    return Object.fromEntries(
      Object.entries(Object.groupBy(answers, (answer) => answer)).map(([answer, all]) => [
        answer,
        all?.length,
      ]),
    );
  }

  async function expectExact(machine: GatewayMachine): Promise<void> {
    expect(await scene.counted(machine)).toEqual(scene.stored(machine));
  }

  describe("with a limit for the machine", () => {
    it("takes no byte more, however many come at once", async () => {
      const machine = await create(await scene.machine({ storedBytesMax: 10 * fileBytes }));
      const last = randomBytes(fileBytes);
      expect(await upload(machine, "data", last)).toBe("200");
      expect(await flood(25, machine)).toEqual({ "200": 9, "507 gateway-machine-quota": 16 });
      expect(await scene.counted(machine)).toEqual({ bytes: 10 * fileBytes, objects: 10 });
      await expectExact(machine);
      // What is full is read under locks, and knows what it has.
      expect(await upload(machine, "data", last)).toBe("200");
      const lock = randomBytes(fileBytes);
      expect(await upload(machine, "locks", lock)).toBe("200");
      expect((await scene.ask(machine, "GET", `data/${hashed(last)}`)).status).toBe(200);
      expect((await scene.ask(machine, "DELETE", `locks/${hashed(lock)}`)).status).toBe(200);
      await expectExact(machine);
    });
    it("gives back what a broken upload has reserved", async () => {
      const machine = await create(await scene.machine({ storedBytesMax: 10 * fileBytes }));
      const body = randomBytes(10 * fileBytes);
      const broken = await openUpload(scene, machine, `data/${hashed(body)}`, body.length);
      broken.send(body.subarray(0, 500));
      await expect
        .poll(() => scene.counted(machine), patient)
        .toMatchObject({ bytes: body.length });
      const other = randomBytes(10 * fileBytes);
      expect(await upload(machine, "data", other)).toBe("507 gateway-machine-quota");
      broken.cut();
      await expect.poll(() => scene.counted(machine), patient).toEqual({ bytes: 0, objects: 0 });
      expect(await upload(machine, "data", body)).toBe("200");
      await expectExact(machine);
    });
  });
  it("keeps all machines of a tenant together within its limit", async () => {
    const first = await create(await scene.machine({}, { storedBytesMax: 10 * fileBytes }));
    const second = await create(await scene.machineOf(first.tenantId));
    const stranger = await create(await scene.machine());
    expect(await flood(8, first, second)).toEqual({ "200": 10, "507 gateway-tenant-quota": 6 });
    expect(await flood(3, stranger)).toEqual({ "200": 3 });
    for (const machine of [first, second, stranger]) await expectExact(machine);
  });
  it("tells once when a warning limit is passed, and again when it is passed again", async () => {
    const limits = { storedBytesWarn: 5 * fileBytes };
    const machine = await create(await scene.machine(limits, { storedBytesWarn: 7 * fileBytes }));
    const warnings = async (): Promise<string[]> => {
      const entries = await ground().database.selectFrom("audit").select("action").execute();
      return entries.map(({ action }) => action).filter((action) => action.includes("storage"));
    };
    expect(await flood(5, machine)).toEqual({ "200": 5 });
    expect(await warnings()).toEqual([]);
    const lock = randomBytes(fileBytes);
    expect(await upload(machine, "locks", lock)).toBe("200");
    expect(await warnings()).toEqual(["machine.storage-warning"]);
    expect((await scene.ask(machine, "DELETE", `locks/${hashed(lock)}`)).status).toBe(200);
    expect(await flood(4, machine)).toEqual({ "200": 4 });
    expect((await warnings()).sort()).toEqual([
      "machine.storage-warning",
      "machine.storage-warning",
      "tenant.storage-warning",
    ]);
    const told = ground().logged.filter((line) => line.includes("nearly used up"));
    expect(told.length).toBe(3);
    expect(await scene.registry.metrics()).toMatch(
      /backstay_gateway_quota_warnings_total\{whose="machine"\} 2/,
    );
  });
});
