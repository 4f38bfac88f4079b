import { expect, it } from "vitest";
import { addMachine } from "../../test/server/fleet-rows.ts";
import { eachGround, type TestGround } from "../../test/server/test-ground.ts";
import { placeInGroups } from "./group-members.ts";
import { Groups } from "./groups.ts";
import { type Tenant, Tenants } from "./tenants.ts";

const actor = "token:x";
const all = { after: null, limit: 100 };

async function addAgent(
  ground: TestGround,
  tenant: Tenant,
  name: string,
  labels: Record<string, string> = {},
): Promise<string> {
  const given = { id: `agent-${name}`, name, labels: JSON.stringify(labels) };
  return await addMachine(ground, tenant.id, given);
}

async function makeTenant(ground: TestGround, name: string): Promise<Tenant> {
  const settings = { name, quotas: {}, leaseUntilMs: null, recoveryKey: null };
  return await new Tenants(ground).create(actor, settings);
}

eachGround("groups", (ground) => {
  const names = async (groups: Groups, id: string) =>
    (await groups.members(null, id, all)).map(({ name }) => name);

  it("select by labels and by names when they are made, changed, and when a machine changes", async () => {
    const tenant = await makeTenant(ground(), "acme");
    const other = await makeTenant(ground(), "other");
    await addAgent(ground(), tenant, "pc1", { ring: "early" });
    await addAgent(ground(), tenant, "pc2.example.org", { ring: "late" });
    await addAgent(ground(), other, "pc3", { ring: "early" });
    const groups = new Groups(ground());
    const early = await groups.create(actor, tenant.id, {
      name: "early",
      selector: { kind: "labels", labels: { ring: "early" } },
    });
    const named = await groups.create(actor, tenant.id, {
      name: "named",
      selector: { kind: "names", names: ["PC2", "pc3"] },
    });
    expect(await names(groups, early.id)).toEqual(["pc1"]);
    expect(await names(groups, named.id)).toEqual(["pc2.example.org"]);
    const settings = {
      name: "late",
      selector: { kind: "labels", labels: { ring: "late" } },
    } as const;
    const late = await groups.replace(actor, tenant.id, early.id, early.version, settings);
    expect(await names(groups, late.id)).toEqual(["pc2.example.org"]);
    await ground()
      .database.updateTable("agents")
      .set({ labels: '{"ring":"late"}' })
      .where("id", "=", "agent-pc1")
      .execute();
    await placeInGroups(ground().database, "agent-pc1");
    await placeInGroups(ground().database, "agent-pc1");
    expect(await names(groups, late.id)).toEqual(["pc1", "pc2.example.org"]);
  });

  it("take machines of their tenant by hand, unless they select them", async () => {
    const tenant = await makeTenant(ground(), "acme");
    const other = await makeTenant(ground(), "other");
    const mine = await addAgent(ground(), tenant, "pc1");
    const theirs = await addAgent(ground(), other, "pc2");
    const groups = new Groups(ground());
    const group = await groups.create(actor, tenant.id, {
      name: "g",
      selector: { kind: "static" },
    });
    await groups.addMembers(actor, tenant.id, group.id, [mine]);
    await groups.addMembers(actor, tenant.id, group.id, [mine]);
    expect(await names(groups, group.id)).toEqual(["pc1"]);
    await expect(groups.addMembers(actor, null, group.id, [theirs])).rejects.toMatchObject({
      code: "RESOURCE_UNKNOWN",
    });
    await groups.removeMembers(actor, tenant.id, group.id, [mine]);
    await groups.removeMembers(actor, tenant.id, group.id, [mine]);
    expect(await names(groups, group.id)).toEqual([]);
    const selecting = await groups.create(actor, tenant.id, {
      name: "s",
      selector: { kind: "names", names: [] },
    });
    await expect(groups.addMembers(actor, null, selecting.id, [mine])).rejects.toMatchObject({
      code: "RESOURCE_STATE",
    });
  });

  it("do not exist for another tenant, and change only from the version that was read", async () => {
    const tenant = await makeTenant(ground(), "acme");
    const other = await makeTenant(ground(), "other");
    const groups = new Groups(ground());
    const settings = { name: "g", selector: { kind: "static" } } as const;
    const { id } = await groups.create(actor, tenant.id, settings);
    const unknown = { code: "RESOURCE_UNKNOWN" };
    await expect(groups.get(other.id, id)).rejects.toMatchObject(unknown);
    await expect(groups.members(other.id, id, all)).rejects.toMatchObject(unknown);
    await expect(groups.replace(actor, other.id, id, 1, settings)).rejects.toMatchObject(unknown);
    await expect(groups.remove(actor, other.id, id, 1)).rejects.toMatchObject(unknown);
    expect(await groups.list(other.id, all)).toEqual([]);
    await groups.create(actor, other.id, settings);
    const taken = groups.create(actor, tenant.id, settings);
    await expect(taken).rejects.toMatchObject({ code: "RESOURCE_EXISTS" });
    const changes = await Promise.allSettled(
      ["a", "b", "c"].map((name) => groups.replace(actor, null, id, 1, { ...settings, name })),
    );
    expect(changes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await expect(groups.remove(actor, null, id, 1)).rejects.toMatchObject({
      code: "RESOURCE_CHANGED",
    });
    await groups.remove(actor, null, id, 2);
    await expect(groups.get(null, id)).rejects.toMatchObject(unknown);
  });

  it("raise the revision of their tenant and are in the audit log; what was refused is not", async () => {
    const tenant = await makeTenant(ground(), "acme");
    const revision = async () =>
      (await ground().database.selectFrom("tenants").select("revision").executeTakeFirstOrThrow())
        .revision;
    const groups = new Groups(ground());
    const before = await revision();
    const heard: string[] = [];
    ground().wakeups.subscribe(`tenant:${tenant.id}`, () => heard.push("changed"));
    const settings = { name: "g", selector: { kind: "static" } } as const;
    const { id } = await groups.create(actor, tenant.id, settings);
    await expect(groups.create(actor, tenant.id, settings)).rejects.toThrow();
    await groups.remove(actor, null, id, 1);
    expect(await revision()).toBe(before + 2);
    expect(heard).toEqual(["changed", "changed"]);
    const entries = await ground().database.selectFrom("audit").select("action").execute();
    expect(entries.map(({ action }) => action)).toEqual([
      "tenant.create",
      "group.create",
      "group.remove",
    ]);
  });

  it("stay while a policy needs them", async () => {
    const tenant = await makeTenant(ground(), "acme");
    const groups = new Groups(ground());
    const group = await groups.create(actor, tenant.id, {
      name: "g",
      selector: { kind: "static" },
    });
    const { database } = ground();
    await database
      .insertInto("policies")
      .values({
        id: "p",
        tenant_id: tenant.id,
        name: "documents",
        document: "{}",
        managed_by: "agent",
        server_schedule: "{}",
        policy_version: 1,
        rollout: null,
        previous_document: null,
        previous_version: null,
        created_ms: 0,
        version: 1,
      })
      .execute();
    await database
      .insertInto("policy_assignments")
      .values({ policy_id: "p", group_id: group.id, agent_id: null, tenant_id: tenant.id })
      .execute();
    await expect(groups.remove(actor, null, group.id, 1)).rejects.toMatchObject({
      code: "RESOURCE_IN_USE",
      context: { group: "g", policy: "documents" },
    });
  });

  it("come in pages", async () => {
    const tenant = await makeTenant(ground(), "acme");
    const groups = new Groups(ground());
    const made: string[] = [];
    for (const name of ["c", "a", "b"])
      made.push((await groups.create(actor, tenant.id, { name, selector: { kind: "static" } })).id);
    const first = await groups.list(null, { after: null, limit: 2 });
    const rest = await groups.list(null, { after: first[1].id, limit: 2 });
    expect([...first, ...rest].map(({ id }) => id)).toEqual(made);
    expect((await groups.list(null, all, { name: "a" })).map(({ id }) => id)).toEqual([made[1]]);
  });
});

eachGround("tenants", (ground) => {
  it("stay while they have machines, and go with what belongs to them only", async () => {
    const tenants = new Tenants(ground());
    const tenant = await makeTenant(ground(), "acme");
    await addAgent(ground(), tenant, "pc1");
    await new Groups(ground()).create(actor, tenant.id, {
      name: "g",
      selector: { kind: "names", names: ["pc1"] },
    });
    const removal = tenants.remove(actor, null, tenant.id, 1);
    await expect(removal).rejects.toMatchObject({ code: "RESOURCE_IN_USE" });
    await ground().database.deleteFrom("agents").execute();
    await tenants.remove(actor, null, tenant.id, 1);
    expect(await tenants.list(null, all)).toEqual([]);
  });

  it("are seen by their own tokens only, and keep what was decided about them", async () => {
    const tenants = new Tenants(ground());
    const a = await makeTenant(ground(), "a");
    const b = await makeTenant(ground(), "b");
    expect(await tenants.list(a.id, all)).toEqual([a]);
    await expect(tenants.get(a.id, b.id)).rejects.toMatchObject({ code: "RESOURCE_UNKNOWN" });
    const settings = {
      name: "a2",
      quotas: { agentsMax: 3, storedBytesMax: 2 ** 40 },
      leaseUntilMs: 5,
      recoveryKey: { id: "k", key: "x" },
    };
    expect(await tenants.replace(actor, null, a.id, 1, settings)).toMatchObject({
      ...settings,
      version: 2,
    });
    const stale = tenants.replace(actor, null, a.id, 1, settings);
    await expect(stale).rejects.toMatchObject({ code: "RESOURCE_CHANGED" });
    const taken = tenants.replace(actor, null, a.id, 2, { ...settings, name: "b" });
    await expect(taken).rejects.toMatchObject({ code: "RESOURCE_EXISTS" });
  });
});
