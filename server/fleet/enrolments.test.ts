import { beforeEach, expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { agentRefusal, refusalOf } from "../../protocol/control/agent-problem.ts";
import { parseEnrolmentToken, proveToken } from "../../protocol/control/enrolment-token.ts";
import { type MadeMachine, madeMachine } from "../../test/identity/made-machine.ts";
import { eachGround } from "../../test/server/test-ground.ts";
import { Agents } from "./agents.ts";
import type { EnrolmentTokenSettings } from "./enrolment-tokens.ts";
import { type FleetIdentity, makeFleetIdentity } from "./fleet-identity.ts";
import { Groups } from "./groups.ts";
import { Tenants } from "./tenants.ts";

const rootKey = "R".repeat(43);
const everything = { after: null, limit: 1000 };
const admin = "token:test";

eachGround("enrolment", (ground) => {
  let fleet: FleetIdentity;
  let tenantId: string;
  let licensed: number;
  let tokens = 0;

  beforeEach(async () => {
    licensed = Number.POSITIVE_INFINITY;
    fleet = makeFleetIdentity(ground(), {
      rootKey: async () => rootKey,
      admission: async (queries) => {
        const rows = await queries.selectFrom("agents").select("id").execute();
        if (rows.length >= licensed) throw agentRefusal("licence-exceeded");
      },
    });
    tenantId = await newTenant("acme");
  });

  async function newTenant(name: string, agentsMax?: number): Promise<string> {
    const settings = { name, quotas: { agentsMax }, leaseUntilMs: null, recoveryKey: null };
    return (await new Tenants(ground()).create(admin, settings)).id;
  }

  async function token(settings: Partial<EnrolmentTokenSettings> = {}, of = tenantId) {
    tokens += 1;
    return await fleet.enrolmentTokens.create(admin, of, {
      name: `token ${tokens}`,
      usesMax: 1,
      expiresMs: ground().now() + 3_600_000,
      groupId: null,
      labels: {},
      networks: [],
      needsApproval: false,
      agentId: null,
      ...settings,
    });
  }

  async function enrol(machine: MadeMachine, text: string, address = "192.0.2.1"): Promise<string> {
    const outcome = await fleet.enrolments.enrol(machine.request(text), address);
    return outcome.kind === "admitted" ? outcome.answer.agentId : outcome.kind;
  }

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

  const usesOf = async (id: string): Promise<number> =>
    (await fleet.enrolmentTokens.get(null, id)).uses;

  it("makes a member of a machine, once for each key, however often it asks", async () => {
    const { info, token: text } = await token({ labels: { site: "north" } });
    const machine = madeMachine("web");
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, async () => await enrol(machine, text)),
    );
    expect(new Set(outcomes).size).toBe(1);
    expect(await usesOf(info.id)).toBe(1);
    const [agent, ...others] = await new Agents(ground()).list(null, everything);
    expect(others).toEqual([]);
    expect(agent).toMatchObject({
      id: outcomes[0],
      name: "web",
      labels: { site: "north" },
      status: "active",
    });
    const answer = await fleet.enrolments.enrol(machine.request(text), "192.0.2.1");
    expect(answer).toMatchObject({ kind: "admitted", answer: { tenantName: "acme", rootKey } });
    expect(await ground().audit.verify(ground().database)).toMatchObject({ brokenAt: undefined });
  });

  it("gives the last uses of a token to exactly as many of those who ask together", async () => {
    const { info, token: text } = await token({ usesMax: 3 });
    const refusals = await Promise.all(
      Array.from(
        { length: 9 },
        async (_, number) => await refusal(enrol(madeMachine(`m${number}`), text)),
      ),
    );
    expect(refusals.filter((each) => each === undefined).length).toBe(3);
    expect(refusals.filter((each) => each === "token-exhausted").length).toBe(6);
    expect(await usesOf(info.id)).toBe(3);
    expect((await new Agents(ground()).list(null, everything)).length).toBe(3);
  });

  it("refuses each token that does not count, and says why", async () => {
    const machine = madeMachine();
    const { info, token: text } = await token();
    const unknown = { ...machine.request(text), tokenId: "0198f3c0-0000-7000-8000-000000000000" };
    expect(await refusal(fleet.enrolments.enrol(unknown, "::1"))).toBe("token-unknown");
    const stolen = { ...machine.request(text), ...madeMachine().raw };
    expect(await refusal(fleet.enrolments.enrol(stolen, "::1"))).toBe("token-unknown");
    const guessed = parseEnrolmentToken((await token()).token);
    const proof = proveToken({ ...guessed, i: info.id }, { ...machine.raw, timeMs: 0 });
    const forged = { ...machine.request(text), proof };
    expect(await refusal(fleet.enrolments.enrol(forged, "::1"))).toBe("token-unknown");

    const narrow = await token({ networks: ["10.0.0.0/8", "2001:db8::/32"] });
    expect(await refusal(enrol(machine, narrow.token, "192.0.2.1"))).toBe("token-network");
    expect(await refusal(enrol(machine, narrow.token, "::ffff:10.1.2.3"))).toBe(undefined);

    const revoked = await token();
    await fleet.enrolmentTokens.revoke(admin, null, revoked.info.id);
    expect(await refusal(enrol(madeMachine(), revoked.token))).toBe("token-unknown");
    expect(await usesOf(info.id)).toBe(0);

    ground().advance(3_600_000);
    expect(await refusal(enrol(madeMachine(), text))).toBe("token-expired");
  });

  it("still tells a machine that it is a member after its token has ended", async () => {
    const { token: text } = await token();
    const machine = madeMachine();
    const id = await enrol(machine, text);
    ground().advance(7_200_000);
    expect(await enrol(machine, text)).toBe(id);
    // The answer was lost, and somebody has pasted a newer token.
    const newer = await token();
    expect(await enrol(machine, newer.token)).toBe(id);
    expect(await usesOf(newer.info.id)).toBe(0);
  });

  it("waits for approval, and does as was decided", async () => {
    const { token: text } = await token({ usesMax: 2, needsApproval: true });
    const [good, bad] = [madeMachine("good"), madeMachine("bad")];
    expect(await enrol(good, text)).toBe("pending");
    expect(await enrol(bad, text)).toBe("pending");
    expect(await enrol(good, text)).toBe("pending");
    const waiting = await fleet.enrolments.list(tenantId, everything, { state: "pending" });
    expect(waiting.map(({ facts }) => facts.hostName)).toEqual(["good", "bad"]);
    expect(await new Agents(ground()).list(null, everything)).toEqual([]);
    const [first, second] = waiting;
    const approved = await fleet.enrolments.approve(admin, tenantId, first.id, first.version);
    expect(await enrol(good, text)).toBe(approved.agentId);
    await fleet.enrolments.deny(admin, tenantId, second.id, second.version);
    expect(await refusal(enrol(bad, text))).toBe("enrolment-denied");
    const again = fleet.enrolments.approve(admin, tenantId, second.id, 2);
    expect(await refusal(again)).toBe("RESOURCE_STATE");
    const elsewhere = fleet.enrolments.approve(admin, await newTenant("other"), first.id, 2);
    expect(await refusal(elsewhere)).toBe("RESOURCE_UNKNOWN");
  });

  it("puts a reinstalled machine in its place by a voucher: same id, other keys, next generation", async () => {
    const id = await enrol(madeMachine("old"), (await token({ labels: { a: "b" } })).token);
    await new Agents(ground()).setStatus(admin, null, id, "revoked");
    const machine = madeMachine("old");
    const voucher = await token({ agentId: id });
    expect(await enrol(machine, voucher.token)).toBe(id);
    expect(await enrol(machine, voucher.token)).toBe(id);
    expect(await refusal(enrol(madeMachine("third"), voucher.token))).toBe("token-exhausted");
    const agent = await new Agents(ground()).get(null, id);
    expect(agent).toMatchObject({ generation: 2, status: "active", labels: { a: "b" } });
    const identity = await fleet.identities.find(id);
    expect(identity?.key.export({ format: "jwk" })).toMatchObject({ x: machine.raw.identityKey });
  });

  it("keeps to licence and quota, which a machine that comes back does not need", async () => {
    const small = await newTenant("small", 2);
    const { token: text, info } = await token({ usesMax: 9 }, small);
    const machine = madeMachine("one");
    const id = await enrol(machine, text);
    await enrol(madeMachine("two"), text);
    expect(await refusal(enrol(madeMachine("three"), text))).toBe("quota-exceeded");
    licensed = 2;
    expect(await refusal(enrol(madeMachine("four"), (await token()).token))).toBe(
      "licence-exceeded",
    );
    expect(await usesOf(info.id)).toBe(2);
    const voucher = await token({ agentId: id }, small);
    expect(await enrol(madeMachine("one"), voucher.token)).toBe(id);
  });

  it("admits no more machines than the quota has room for, when they come together", async () => {
    const { token: text } = await token({ usesMax: 20 }, await newTenant("small", 2));
    const refusals = await Promise.all(
      Array.from({ length: 6 }, async () => await refusal(enrol(madeMachine(), text))),
    );
    expect(refusals.filter((each) => each === undefined).length).toBe(2);
  });

  it("names machines of one name apart, and puts them into their groups", async () => {
    const groups = new Groups(ground());
    const chosen = await groups.create(admin, tenantId, {
      name: "chosen",
      selector: { kind: "static" },
    });
    const labelled = await groups.create(admin, tenantId, {
      name: "labelled",
      selector: { kind: "labels", labels: { site: "north" } },
    });
    const { token: text } = await token({
      usesMax: 3,
      groupId: chosen.id,
      labels: { site: "north" },
    });
    for (let number = 0; number < 3; number += 1) await enrol(madeMachine("image"), text);
    const agents = await new Agents(ground()).list(null, everything);
    expect(agents.map(({ name }) => name)).toEqual(["image", "image-2", "image-3"]);
    for (const group of [chosen, labelled])
      expect((await groups.members(null, group.id, everything)).length).toBe(3);
  });

  it("takes no token that could not be used, and keeps no secret of one", async () => {
    const { info, token: text } = await token({ name: "named" });
    const wrong: Partial<EnrolmentTokenSettings>[] = [
      { name: "named" },
      { usesMax: 0 },
      { expiresMs: ground().now() },
      { networks: ["10.0.0.0/64"] },
      { groupId: info.id },
      { agentId: info.id },
    ];
    const codes = await Promise.all(wrong.map(async (each) => await refusal(token(each))));
    expect(codes).toEqual([
      "RESOURCE_EXISTS",
      "RESOURCE_INVALID",
      "RESOURCE_INVALID",
      "RESOURCE_INVALID",
      "RESOURCE_UNKNOWN",
      "RESOURCE_UNKNOWN",
    ]);
    await enrol(madeMachine(), text);
    const { s: seed } = parseEnrolmentToken(text);
    const { database, logged } = ground();
    const rows = await Promise.all(
      (["enrolment_tokens", "enrolment_requests", "agents", "audit"] as const).map(
        async (table) => await database.selectFrom(table).selectAll().execute(),
      ),
    );
    expect(`${JSON.stringify(rows)}${logged.join()}`).not.toContain(seed);
  });
});
