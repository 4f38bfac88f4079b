import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { forgetIdentity } from "../../agent/control/enrolment.ts";
import type { ServerLink } from "../../agent/control/server-link.ts";
import type { IdentityConflict } from "../../server/fleet/identity-conflicts.ts";
import { ask, EnrollingMachine, outcomeOf } from "./enrolling-machine.ts";
import { IdentityServer } from "./identity-server.ts";
import { mortalLife } from "./mortal-machine.ts";

const minuteMs = 60_000;
const everything = { after: null, limit: 1000 };

describe("one identity in two machines", () => {
  let server: IdentityServer;
  let machines: EnrollingMachine[];
  let original: EnrollingMachine;
  let agentId: string;

  beforeEach(async () => {
    server = await IdentityServer.start();
    machines = [];
    original = await enrolled("original");
    agentId = await idOf(original);
  });
  afterEach(async () => {
    for (const machine of machines) machine.stop();
    await server.stop();
  });

  async function enrolled(name: string): Promise<EnrollingMachine> {
    const machine = new EnrollingMachine(name, server.ground.now());
    machines.push(machine);
    await machine.enroll(await server.token());
    return machine;
  }

  function copyOf(machine: EnrollingMachine, name = "copy"): EnrollingMachine {
    const copy = machine.copied(name);
    machines.push(copy);
    return copy;
  }

  async function idOf(machine: EnrollingMachine): Promise<string> {
    return (await machine.store.read()).record?.membership?.agentId ?? "none";
  }

  /** Everywhere; the server writes what it has heard. */
  async function pass(minutes: number): Promise<void> {
    await server.writePresence();
    server.ground.advance(minutes * minuteMs);
    for (const { clock } of machines) clock.advance(minutes * minuteMs);
  }

  /** Both poll for a while, in turns; what the server said to the first, and to the second. */
  async function bothPoll(one: ServerLink, other: ServerLink): Promise<[string[], string[]]> {
    const said: [string[], string[]] = [[], []];
    for (let round = 0; round < 3; round += 1) {
      said[0].push(await ask(one));
      await pass(2.5);
      said[1].push(await ask(other));
      await pass(2.5);
    }
    return said;
  }

  const conflicts = async (state: IdentityConflict["state"]): Promise<IdentityConflict[]> =>
    await server.fleet.conflicts.list(null, everything, { state });

  it("ends when the copy asks at its start: it becomes a machine of its own, the original stays as it was", async () => {
    const link = await original.start();
    expect(await ask(link)).toBe("ok");
    await pass(5);
    const copy = copyOf(original);
    expect(await copy.open()).toMatchObject({
      kind: "copied",
      error: { code: "IDENTITY_OF_OTHER_MACHINE" },
    });
    const before = await server.agents();
    // Nothing is decided before the original was heard of beside it.
    expect(await outcomeOf(copy.settle())).toBe("ENROLMENT_WAITING");
    expect(await outcomeOf(copy.settle())).toBe("ENROLMENT_WAITING");
    expect(await server.agents()).toEqual(before);
    await pass(5);
    expect(await ask(link)).toBe("ok");
    await pass(0);
    const { membership } = await copy.settle();
    expect(membership.agentId).not.toBe(agentId);
    expect((await copy.open()).kind).toBe("enrolled");
    const copyLink = await copy.start();
    expect(await bothPoll(link, copyLink)).toEqual([Array(3).fill("ok"), Array(3).fill("ok")]);
    const rows = await server.agents();
    expect(rows.map(({ id }) => id)).toEqual([agentId, membership.agentId]);
    expect(rows.slice(0, 1)).toEqual(before);
    expect(await conflicts("open")).toEqual([]);
  });

  it("is shown to people once both ask; only the copy is refused, and it gets its own", async () => {
    const link = await original.start();
    const copy = copyOf(original);
    const copyLink = await copy.start();
    const [said] = await bothPoll(link, copyLink);
    expect(said).toEqual(Array(3).fill("ok"));
    const [conflict, ...others] = await conflicts("open");
    expect(others).toEqual([]);
    expect(conflict).toMatchObject({ agentId, evidence: { isDecided: true } });
    await pass(1);
    expect(await ask(copyLink)).toBe("identity-conflict");
    expect(await ask(link)).toBe("ok");
    expect((await copy.settle()).membership.agentId).not.toBe(agentId);
    expect(await ask(await copy.start())).toBe("ok");
    expect(await ask(link)).toBe("ok");
    expect((await conflicts("forked")).map(({ id }) => id)).toEqual([conflict.id]);
  });

  it("in two that look alike is shown to people, who decide; nobody is refused meanwhile", async () => {
    const twin = copyOf(original, "twin");
    twin.marks.marks = original.marks.marks;
    expect((await twin.open()).kind).toBe("enrolled");
    const [link, twinLink] = [await original.start(), await twin.start()];
    for (let round = 0; round < 2; round += 1)
      expect(await bothPoll(link, twinLink)).toEqual([Array(3).fill("ok"), Array(3).fill("ok")]);
    const [conflict] = await conflicts("open");
    expect(conflict).toMatchObject({ agentId, evidence: { isDecided: false } });
    // What the page says: the copy leaves, and joins with a token of its own.
    await forgetIdentity(twin);
    await twin.enroll(await server.token());
    expect(await idOf(twin)).not.toBe(agentId);
    await server.fleet.conflicts.dismiss("token:admin", null, conflict.id);
    await bothPoll(link, await twin.start());
    expect(await conflicts("open")).toEqual([]);
  });

  it("is not what a machine is that was restored from yesterday, or restarted often", async () => {
    original.serial = 20;
    const yesterday = new Map(original.keeper.kept);
    expect(await ask(await original.start())).toBe("ok");
    await pass(24 * 60);
    for (const [name, secret] of yesterday) original.keeper.kept.set(name, secret);
    original.serial = 10;
    for (let start = 0; start < 3; start += 1) {
      const link = await original.start();
      for (let poll = 0; poll < 2; poll += 1) {
        expect(await ask(link)).toBe("ok");
        await pass(5);
      }
    }
    expect(await conflicts("open")).toEqual([]);
    const audit = await server.ground.database.selectFrom("audit").select("action").execute();
    expect(audit.filter(({ action }) => action === "agent.rolled-back")).toHaveLength(1);
    expect(await server.agents()).toHaveLength(1);
  });

  it("is not what a machine is that was rebuilt: it keeps its own after a quarter of an hour", async () => {
    await ask(await original.start());
    await pass(5);
    const rebuilt = copyOf(original, "rebuilt");
    expect((await rebuilt.open()).kind).toBe("copied");
    expect(await outcomeOf(rebuilt.settle())).toBe("ENROLMENT_WAITING");
    await pass(14);
    expect(await outcomeOf(rebuilt.settle())).toBe("ENROLMENT_WAITING");
    await pass(2);
    expect((await rebuilt.settle()).membership.agentId).toBe(agentId);
    expect((await rebuilt.open()).kind).toBe("enrolled");
    expect(await ask(await rebuilt.start())).toBe("ok");
    expect(await server.agents()).toHaveLength(1);
  });

  it("becomes two, once, wherever the copy is killed meanwhile", async () => {
    let steps = 0;
    for (; ; steps += 1) {
      const machine = await enrolled(`machine ${steps}`);
      const copy = copyOf(machine, `copy ${steps}`);
      await bothPoll(await machine.start(), await copy.start());
      const life = mortalLife(copy, server, steps);
      const isDone = (await outcomeOf(copy.settle({ signal: life.signal }))) === "ok";
      life.end();
      // At its next start it is a copy still, or its own already.
      if ((await copy.open()).kind === "copied") await copy.settle();
      expect(await ask(await copy.start())).toBe("ok");
      expect(await ask(await machine.start())).toBe("ok");
      expect(await idOf(copy)).not.toBe(await idOf(machine));
      const rows = (await server.agents()).filter(({ name }) => name.endsWith(` ${steps}`));
      expect(rows.map(({ id }) => id).sort()).toEqual(
        [await idOf(machine), await idOf(copy)].sort(),
      );
      if (isDone) break;
    }
    expect(steps).toBe(6);
  });
});
