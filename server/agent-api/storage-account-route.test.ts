import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { agentApi } from "../../protocol/control/agent-api.ts";
import { storageAccountAnswer } from "../../protocol/control/storage-account.ts";
import { EnrolledMachine } from "../../test/server/enrolled-machine.ts";
import { type ManagementScene, openManagementScene } from "../../test/server/management-scene.ts";

let folder: string;
let scene: ManagementScene;
let machine: EnrolledMachine;
let query: string;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-account-route-"));
  scene = await openManagementScene(path.join(folder, "server.db"));
  machine = await EnrolledMachine.enrol(scene, "a", "pc1");
  const { rooms } = scene;
  const tenantId = scene.tenantIds.a;
  const key = Buffer.from("key").toString("base64");
  const own = Buffer.from(`AZURE_ACCOUNT_NAME=backups\nAZURE_ACCOUNT_KEY=${key}`);
  await rooms.secrets.put("test", tenantId, "cloud", own);
  const issuer = { kind: "azure-sas" as const, hierarchical: true, durationSeconds: 900 };
  const { id } = await rooms.repositories.create("test", tenantId, {
    name: "main",
    routes: [{ kind: "direct", url: "azure:fleet:/{agent}", secret: "cloud", issuer }],
    quotas: {},
  });
  await rooms.policies.create("test", tenantId, {
    document: {
      version: 1,
      name: "documents",
      source: { paths: ["/a"] },
      destination: { repository: "backstay:main" },
      encryption: { password: { secret: "automatic" } },
    },
    managedBy: "agent",
    serverSchedule: {},
    groupIds: [],
    agentIds: [machine.id],
  });
  expect((await machine.ask("GET", agentApi.bundle)).status).toBe(200);
  const address = `azure:fleet:/${machine.id}`;
  query = new URLSearchParams({ repository: id, address }).toString();
});

afterEach(async () => {
  await scene.close();
  rmSync(folder, { recursive: true, force: true });
});

const ask = async () => await machine.ask("GET", `${agentApi.storageAccount}?${query}`);

it("gives a machine a sealed account that nobody on the way keeps", async () => {
  const { status, body, headers } = await ask();
  expect(status).toBe(200);
  expect(storageAccountAnswer.parse(body).account.split(".")).toHaveLength(5);
  expect(headers["cache-control"]).toBe("no-store");
});

it("sends away machines that are suspended or revoked, and whoever signs nothing", async () => {
  expect((await scene.ask("GET", `${agentApi.storageAccount}?${query}`)).status).toBe(401);
  for (const status of ["suspended", "revoked"] as const) {
    await scene.rooms.agents.setStatus("test", null, machine.id, status);
    // Identities are remembered for a moment.
    scene.ground.advance(10_000);
    expect(await ask()).toMatchObject({ status: 403, body: { code: `agent-${status}` } });
  }
});

it("sends away a machine that asks without end", async () => {
  const statuses: number[] = [];
  for (let count = 0; count < 62; count += 1) statuses.push((await ask()).status);
  expect(statuses.slice(0, 60)).toEqual(Array.from({ length: 60 }, () => 200));
  expect(statuses.at(-1)).toBe(429);
});
