import { beforeEach, expect, it } from "vitest";
import { refusalOf } from "../../protocol/control/agent-problem.ts";
import { type MadeMachine, madeMachine } from "../../test/identity/made-machine.ts";
import { eachGround } from "../../test/server/test-ground.ts";
import { Agents } from "./agents.ts";
import { type FleetIdentity, makeFleetIdentity } from "./fleet-identity.ts";
import { Tenants } from "./tenants.ts";

const everything = { after: null, limit: 1000 };
const minuteMs = 60_000;

eachGround("identities", (ground) => {
  let fleet: FleetIdentity;
  let tenantId: string;
  let original: MadeMachine;
  let agentId: string;

  beforeEach(async () => {
    fleet = makeFleetIdentity(ground(), {
      rootKey: async () => "R".repeat(43),
      admission: async () => undefined,
    });
    const settings = { name: "acme", quotas: {}, leaseUntilMs: null, recoveryKey: null };
    tenantId = (await new Tenants(ground()).create("server", settings)).id;
    original = madeMachine("original");
    agentId = await enrolled(original);
  });

  async function enrolled(machine: MadeMachine, needsApproval = false): Promise<string> {
    const { token } = await fleet.enrolmentTokens.create("server", tenantId, {
      name: `for ${machine.raw.identityKey}`,
      usesMax: 1,
      expiresMs: ground().now() + minuteMs,
      groupId: null,
      labels: { site: "north" },
      networks: [],
      needsApproval,
      agentId: null,
    });
    const request = machine.request(token);
    if (needsApproval) {
      await fleet.enrolments.enrol(request, "::1");
      const [{ id, version }] = await fleet.enrolments.list(null, everything, { state: "pending" });
      await fleet.enrolments.approve("token:admin", null, id, version);
    }
    const outcome = await fleet.enrolments.enrol(request, "::1");
    if (outcome.kind !== "admitted") throw new Error(outcome.kind);
    return outcome.answer.agentId;
  }

  /** The agent is heard of in this run, on this machine. */
  async function hear(run: string, machine: MadeMachine, serial?: number): Promise<void> {
    const { fingerprint } = machine;
    fleet.presence.seen({
      agentId,
      tenantId,
      address: `address of ${run}`,
      run,
      fingerprint,
      serial,
      agentVersion: "0.1.0",
    });
    await fleet.presence.flush();
  }

  /** Two machines on for some time, each polling every five minutes. */
  async function bothAlive(copy: MadeMachine): Promise<void> {
    for (let poll = 0; poll < 3; poll += 1) {
      await hear("run of the original", original);
      ground().advance(2.5 * minuteMs);
      await hear("run of the copy", copy);
      ground().advance(2.5 * minuteMs);
    }
  }

  const isContested = async (): Promise<boolean | undefined> =>
    (await fleet.identities.find(agentId))?.isContested;
  const openConflicts = async () => await fleet.conflicts.list(null, everything, { state: "open" });
  const actions = async (): Promise<string[]> =>
    (await ground().database.selectFrom("audit").select("action").execute()).map(
      ({ action }) => action,
    );

  async function askToFork(copy: MadeMachine, current = copy.fingerprint) {
    const identity = await fleet.identities.find(agentId);
    if (identity === undefined) throw new Error("no agent");
    return await fleet.forks.ask(
      { identity, fingerprint: current, address: "192.0.2.9" },
      copy.fork(agentId),
    );
  }

  it("are heard of: newest time, address, version and serial, written for many at once", async () => {
    fleet.presence.seen({ agentId, tenantId, address: "::1", agentVersion: "0.1.0", serial: 7 });
    fleet.presence.seen({ agentId: "gone", tenantId, address: "::1", run: "r", fingerprint: {} });
    ground().advance(1000);
    fleet.presence.seen({ agentId, tenantId, address: "::2" });
    await fleet.presence.flush();
    const { live } = await new Agents(ground()).get(null, agentId);
    expect(live).toMatchObject({
      lastSeenMs: ground().now(),
      address: "::2",
      agentVersion: "0.1.0",
      acceptedSerial: 7,
      health: "unknown",
    });
    // A replica that is late does not turn the time back.
    ground().advance(-5000);
    await hear("late", original, 9);
    expect((await new Agents(ground()).get(null, agentId)).live).toMatchObject({
      lastSeenMs: ground().now() + 5000,
      address: "::2",
    });
  });

  it("that were set back to a snapshot are allowed, and the audit log tells of it", async () => {
    await hear("a", original, 20);
    ground().advance(minuteMs);
    await hear("b", original, 10);
    expect(await openConflicts()).toEqual([]);
    expect((await actions()).filter((action) => action === "agent.rolled-back").length).toBe(1);
    ground().advance(minuteMs);
    await hear("b", original, 11);
    expect((await actions()).filter((action) => action === "agent.rolled-back").length).toBe(1);
  });

  it("used by two machines stay with the one that was enrolled", async () => {
    const copy = madeMachine("copy");
    await bothAlive(copy);
    const [conflict, ...others] = await openConflicts();
    expect(others).toEqual([]);
    expect(conflict).toMatchObject({ agentId, tenantId, evidence: { isDecided: true } });
    expect(conflict.evidence.runs.find(({ isForeign }) => isForeign)?.address).toBe(
      "address of run of the copy",
    );
    ground().advance(10_000);
    expect(await isContested()).toBe(true);
    expect(await actions()).toContain("identity-conflict.open");
  });

  it("of a machine that was only rebuilt or restarted are nobody's conflict", async () => {
    for (const machine of [original, original, madeMachine("rebuilt"), madeMachine("again")]) {
      await hear(`run ${ground().now()}`, machine);
      ground().advance(5 * minuteMs);
    }
    expect(await openConflicts()).toEqual([]);
  });

  it("used by two machines that look alike raise an alert and refuse nobody", async () => {
    await bothAlive(madeMachine("original"));
    expect((await openConflicts()).map(({ evidence }) => evidence.isDecided)).toEqual([false]);
    ground().advance(10_000);
    expect(await isContested()).toBe(false);
  });

  it("are given to a copy at once where the conflict is known, with labels and another name", async () => {
    const copy = madeMachine("copy");
    await bothAlive(copy);
    const outcome = await askToFork(copy);
    if (outcome.kind !== "admitted") throw new Error(outcome.kind);
    expect(outcome.answer.agentId).not.toBe(agentId);
    expect(await askToFork(copy)).toMatchObject({ answer: { agentId: outcome.answer.agentId } });
    const agents = new Agents(ground());
    expect(await agents.get(null, outcome.answer.agentId)).toMatchObject({
      name: "copy",
      labels: { site: "north" },
    });
    expect((await agents.list(null, everything)).length).toBe(2);
    expect(await openConflicts()).toEqual([]);
    ground().advance(10_000);
    expect(await isContested()).toBe(false);
  });

  it("are given to a copy that asks by itself as soon as the original is heard of beside it", async () => {
    const copy = madeMachine("copy");
    await hear("before", original);
    expect(await askToFork(copy)).toMatchObject({ kind: "pending" });
    ground().advance(minuteMs);
    expect(await askToFork(copy)).toMatchObject({ kind: "pending" });
    await hear("before", original);
    const outcome = await askToFork(copy);
    expect(outcome.kind === "admitted" && outcome.answer.agentId !== agentId).toBe(true);
  });

  it("stay with a machine that was rebuilt, if nobody else is heard of for a quarter of an hour", async () => {
    const rebuilt = madeMachine("rebuilt");
    await hear("before", original);
    ground().advance(minuteMs);
    expect(await askToFork(rebuilt)).toMatchObject({ kind: "pending" });
    ground().advance(15 * minuteMs);
    expect(await askToFork(rebuilt)).toMatchObject({ kind: "admitted", answer: { agentId } });
    expect(await actions()).toContain("agent.machine-changed");
    expect((await new Agents(ground()).list(null, everything)).length).toBe(1);
  });

  it("stay with a rebuilt machine even where a conflict of long ago is still open", async () => {
    await bothAlive(madeMachine("copy"));
    ground().advance(24 * 60 * minuteMs);
    await hear("original, later", original);
    ground().advance(5 * minuteMs);
    const rebuilt = madeMachine("rebuilt");
    expect(await askToFork(rebuilt)).toMatchObject({ kind: "pending" });
    ground().advance(16 * minuteMs);
    expect(await askToFork(rebuilt)).toMatchObject({ kind: "admitted", answer: { agentId } });
    ground().advance(10_000);
    expect(await isContested()).toBe(false);
  });

  it("stay at once with a machine that looks as it was enrolled", async () => {
    const outcome = await askToFork(madeMachine("new keys"), original.fingerprint);
    expect(outcome).toMatchObject({ kind: "admitted", answer: { agentId } });
  });

  it("of copies need approval where the original's enrolment did, and the holder's proof", async () => {
    original = madeMachine("original");
    agentId = await enrolled(original, true);
    const copy = madeMachine("copy");
    await bothAlive(copy);
    expect(await askToFork(copy)).toMatchObject({ kind: "pending" });
    const [{ id, version, forkedFrom }] = await fleet.enrolments.list(null, everything, {
      state: "pending",
    });
    expect(forkedFrom).toBe(agentId);
    const { agentId: forked } = await fleet.enrolments.approve("token:admin", null, id, version);
    expect(await askToFork(copy)).toMatchObject({ kind: "admitted", answer: { agentId: forked } });

    const identity = await fleet.identities.find(agentId);
    if (identity === undefined) throw new Error("no agent");
    const stolen = { ...copy.fork(agentId), identityKey: madeMachine().raw.identityKey };
    const asker = { identity, fingerprint: copy.fingerprint, address: "::1" };
    await expect(fleet.forks.ask(asker, stolen)).rejects.toSatisfy(
      (error) => refusalOf(error) === "body-invalid",
    );
  });

  it("whose conflict was dismissed are nobody's conflict until they take turns again", async () => {
    const copy = madeMachine("copy");
    await bothAlive(copy);
    const [conflict] = await openConflicts();
    await fleet.conflicts.dismiss("token:admin", null, conflict.id);
    await hear("run of the original", original);
    expect(await openConflicts()).toEqual([]);
    await bothAlive(copy);
    expect((await openConflicts()).length).toBe(1);
  });

  it("have numbers that count once, in one batch and over replicas", async () => {
    const other = makeFleetIdentity(ground(), {
      rootKey: async () => "",
      admission: async () => undefined,
    });
    const untilMs = ground().now() + minuteMs;
    const names = Array.from({ length: 1200 }, (_, number) => `agent/${number}`);
    const first = await Promise.all(
      names.map(async (name) => await fleet.nonces.use(name, untilMs)),
    );
    expect(first.every(Boolean)).toBe(true);
    const uses = [fleet, fleet, other, other].map(({ nonces }) => nonces.use("agent/x", untilMs));
    expect((await Promise.all(uses)).filter(Boolean).length).toBe(1);
    expect(await other.nonces.use("agent/7", untilMs)).toBe(false);
    ground().advance(2 * minuteMs);
    await fleet.nonces.prune();
    expect(await ground().database.selectFrom("request_nonces").selectAll().execute()).toEqual([]);
  });
});
