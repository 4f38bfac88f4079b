import { expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { refusalOf } from "../../protocol/control/agent-problem.ts";
import { newRecoveryKey, openRecovery, sealRecovery } from "../../protocol/control/recovery-key.ts";
import type { EscrowDeposit } from "../../protocol/control/reports.ts";
import { actor, BundleScene, sceneTenant } from "../../test/bundles/bundle-scene.ts";
import { eachGround } from "../../test/server/test-ground.ts";
import { Escrow } from "./escrow.ts";

const all = { after: null, limit: 1000 };

/** The word with which it is refused. */
async function refusal(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    const refused = refusalOf(error);
    if (refused !== undefined) return refused;
    if (isBackstayError(error)) return error.code;
    throw error;
  }
}

eachGround("escrow", (ground) => {
  const recoveryKey = newRecoveryKey();
  const agent = { id: "pc1", tenantId: sceneTenant };

  /** A machine with a repository of its own. */
  const machineWithRepository = async () => {
    const scene = await BundleScene.make(ground());
    await ground()
      .database.updateTable("tenants")
      .set({ recovery_key: JSON.stringify({ id: recoveryKey.id, key: recoveryKey.publicKey }) })
      .execute();
    const machine = await scene.addMachine(agent.id);
    await scene.policies.create(actor, sceneTenant, scene.settings([machine.id]));
    const { bundle } = await scene.read(machine);
    const [repositoryId] = [...bundle.destinations.keys()];
    return { scene, bundle, repositoryId, escrow: new Escrow(ground()) };
  };

  const deposit = (
    repositoryId: string,
    keyName = "key-1",
    password = "the password",
  ): EscrowDeposit => ({
    repositoryId,
    recoveryKeyId: recoveryKey.id,
    keyName,
    sealed: sealRecovery(
      { agentId: agent.id, repositoryId, keyName, password },
      recoveryKey.publicKey,
    ),
  });

  const audited = async (): Promise<unknown[]> =>
    await ground()
      .database.selectFrom("audit")
      .select(["actor", "action", "target"])
      .where("action", "like", "escrow.%")
      .orderBy("sequence")
      .execute();

  it("a machine seals to the key that its bundle names, and only its holder reads what is released", async () => {
    const { bundle, repositoryId, escrow } = await machineWithRepository();
    expect(bundle.recoveryKey).toEqual({ id: recoveryKey.id, key: recoveryKey.publicKey });
    const given = deposit(repositoryId);
    await escrow.deposit(agent, given);
    const [entry, ...others] = await escrow.list(sceneTenant, all);
    expect(others).toEqual([]);
    expect(entry).toMatchObject({ agentId: "pc1", repositoryId, keyName: "key-1" });
    expect(JSON.stringify(entry)).not.toContain(given.sealed);
    const { sealed } = await escrow.release("token:admin", null, entry.id);
    const place = { agentId: agent.id, repositoryId };
    expect(openRecovery(sealed, recoveryKey.privateKey, place).password).toBe("the password");
    const { privateKey } = newRecoveryKey();
    expect(() => openRecovery(sealed, privateKey, place)).toThrow();
    // A server that hands out another machine's password for this one's is found out.
    expect(() =>
      openRecovery(sealed, recoveryKey.privateKey, { ...place, agentId: "pc2" }),
    ).toThrow();
    expect(await audited()).toEqual([
      { actor: "agent:pc1", action: "escrow.deposit", target: entry.id },
      { actor: "token:admin", action: "escrow.release", target: entry.id },
    ]);
    expect(await ground().audit.verify(ground().database)).toMatchObject({ brokenAt: undefined });
  });

  it("the same again changes nothing, and what is there is never overwritten", async () => {
    const { repositoryId, escrow } = await machineWithRepository();
    const first = deposit(repositoryId);
    await escrow.deposit(agent, first);
    await escrow.deposit(agent, first);
    await escrow.deposit(agent, deposit(repositoryId, "key-1", "spoilt"));
    await escrow.deposit(agent, deposit(repositoryId, "key-2", "next"));
    const entries = await escrow.list(null, all, { agentId: "pc1", repositoryId });
    expect(entries.map(({ keyName }) => keyName)).toEqual(["key-1", "key-2"]);
    expect((await escrow.release(actor, null, entries[0].id)).sealed).toBe(first.sealed);
    expect(await audited()).toHaveLength(3);
  });

  it("no machine gives for a repository in which it has nothing, and none fills the database", async () => {
    const { scene, repositoryId, escrow } = await machineWithRepository();
    const other = await scene.repositories.create(actor, sceneTenant, {
      name: "other",
      routes: [{ kind: "gateway" }],
      quotas: {},
    });
    expect(await refusal(escrow.deposit(agent, deposit(other.id)))).toBe("not-found");
    expect(await refusal(escrow.deposit({ ...agent, id: "pc2" }, deposit(repositoryId)))).toBe(
      "not-found",
    );
    const row = await ground().database.selectFrom("escrow").selectAll().execute();
    expect(row).toEqual([]);
    const { sealed } = deposit(repositoryId);
    for (let number = 0; number < 200; number += 1)
      await escrow.deposit(agent, { ...deposit(repositoryId, `key-${number}`), sealed });
    expect(await refusal(escrow.deposit(agent, deposit(repositoryId, "one more")))).toBe(
      "quota-exceeded",
    );
  });

  it("other tenants see none of it, and what belongs to a machine outlives it", async () => {
    const { repositoryId, escrow } = await machineWithRepository();
    await escrow.deposit(agent, deposit(repositoryId));
    const [{ id }] = await escrow.list(null, all);
    expect(await escrow.list("tenant-2", all)).toEqual([]);
    expect(await refusal(escrow.release(actor, "tenant-2", id))).toBe("RESOURCE_UNKNOWN");
    expect(await refusal(escrow.release(actor, null, "nothing"))).toBe("RESOURCE_UNKNOWN");
    expect(await audited()).toHaveLength(1);
    await ground().database.deleteFrom("agents").where("id", "=", agent.id).execute();
    expect((await escrow.release(actor, sceneTenant, id)).agentId).toBe(agent.id);
  });
});
