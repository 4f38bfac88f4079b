import { expect, it } from "vitest";
import type { AgentStatus, Report } from "../../protocol/control/reports.ts";
import { addMachine, addTenant } from "../../test/server/fleet-rows.ts";
import { eachGround } from "../../test/server/test-ground.ts";
import { goodSession, sampleSession } from "../../test/state/state-samples.ts";
import { MachineStates } from "./machine-states.ts";
import { noteOverdue } from "./overdue.ts";
import { ReportInbox } from "./report-inbox.ts";
import { dropOldReports } from "./report-retention.ts";
import { keyOf, ReportedSessions } from "./reported-sessions.ts";
import { ServerMemory } from "./server-memory.ts";
import { StatusInbox } from "./status-inbox.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** What the agent's clock is wrong by in these tests. */
const yearMs = 365 * dayMs;

eachGround("reports", (ground) => {
  const scene = async () => {
    const tenantId = await addTenant(ground());
    const id = await addMachine(ground(), tenantId);
    const agent = { id, tenantId };
    const inbox = new ReportInbox(ground());
    const states = new MachineStates(ground());
    const memory = new ServerMemory(ground());
    const statuses = new StatusInbox(ground());
    const standing = async () => {
      await noteOverdue(ground(), memory);
      const [found] = await states.of(tenantId, [id]);
      const { byState } = await states.overview(tenantId);
      expect(byState[found?.state ?? "ok"], "the overview says the same").toBe(1);
      return found?.state;
    };
    const protection = async () => (await states.protection(tenantId, id))[0];
    return { tenantId, agent, inbox, states, memory, statuses, standing, protection };
  };

  /** Of a session of ten minutes that has just ended. */
  const sessionReport = (given: {
    id?: string;
    isGood?: boolean;
    endedMs?: number;
    policy?: string;
    bytes?: number;
  }): Report => {
    const { endedMs = ground().now(), policy = "documents", isGood = true, bytes = 10 } = given;
    const wrongMs = endedMs - yearMs;
    const times = { queuedMs: wrongMs, startedMs: wrongMs - 10 * minuteMs, finishedMs: wrongMs };
    const good = goodSession({ policy, ...times });
    const session = isGood
      ? { ...good, figures: { ...good.figures, totalBytesProcessed: bytes } }
      : sampleSession({ policy, ...times, state: "finished", outcome: "failure" });
    const id = given.id ?? `session-${session.id}`;
    return { id, kind: "session", timeMs: endedMs, session: { ...session }, issues: [] };
  };
  const event = (id: string): Report => {
    const timeMs = ground().now();
    return { id, kind: "event", timeMs, code: "X", severity: "warning", text: "", subject: "" };
  };
  const statusWith = (given: Partial<AgentStatus> = {}): AgentStatus => ({
    version: 1,
    timeMs: ground().now(),
    bundle: { state: "applied", serial: 3 },
    health: "ok",
    conditions: [],
    policies: [
      {
        policy: "documents",
        policyVersion: 4,
        origin: "server",
        enabled: true,
        maximumAgeMs: 8 * hourMs,
      },
    ],
    clockOffsetMs: 0,
    facts: {
      hostName: "pc",
      system: "linux",
      architecture: "x64",
      agentVersion: "1.2.3",
      kind: "workstation",
      addresses: [],
      labels: {},
    },
    fingerprint: {},
    ...given,
  });

  it("count once, however often and in whatever company they come", async () => {
    const { agent, inbox, tenantId } = await scene();
    const [a, b, c] = [sessionReport({}), sessionReport({}), event("e1")];
    expect(await inbox.take(agent, [a, b])).toEqual({ accepted: [a.id, b.id], rejected: [] });
    await Promise.all([inbox.take(agent, [a, b, c]), inbox.take(agent, [c, a, a])]);
    expect((await inbox.take(agent, [b, c])).accepted).toEqual([b.id, c.id]);
    const rows = await ground().database.selectFrom("reports").select("id").execute();
    expect(rows.map(({ id }) => id).sort()).toEqual([a.id, b.id, c.id].sort());
    const sessions = new ReportedSessions(ground());
    const all = { after: null, limit: 10 };
    expect((await sessions.list("session", tenantId, all)).map(({ report }) => report)).toEqual(
      expect.arrayContaining([a, b]),
    );
    expect((await sessions.list("event", null, all)).map(({ report }) => report)).toEqual([c]);
    expect(await sessions.list("session", "another tenant", all)).toEqual([]);
  });

  it("refuse by name what can never be taken, and take the rest of the batch", async () => {
    const { agent, inbox } = await scene();
    const good = sessionReport({});
    const bad = [
      { ...sessionReport({}), id: "no policy", session: { outcome: "success" } },
      { ...event("no kind"), kind: "other" },
      { ...event("no such time"), timeMs: 1e300 },
      { ...event("too large"), more: "x".repeat(600_000) },
      { id: 5 },
      "nothing",
      null,
    ];
    const { accepted, rejected } = await inbox.take(agent, [...bad.slice(0, 4), good]);
    expect(accepted).toEqual([good.id]);
    expect(rejected.map(({ id }) => id)).toEqual([
      "no policy",
      "no kind",
      "no such time",
      "too large",
    ]);
    expect(await inbox.take(agent, bad.slice(4))).toEqual({ accepted: [], rejected: [] });
  });

  it("make the protection of a policy, whatever the machine's clock says and in whatever order they come", async () => {
    const { agent, inbox, protection } = await scene();
    const endedMs = ground().now() - hourMs;
    const newest = sessionReport({ endedMs, bytes: 77 });
    await inbox.take(agent, [newest]);
    const expected = {
      policy: "documents",
      lastGoodMs: endedMs - 10 * minuteMs,
      lastOutcome: "success",
      lastEndedMs: endedMs,
      bytesSelected: 77,
      overdueSinceMs: null,
    };
    expect(await protection()).toMatchObject(expected);
    await inbox.take(agent, [sessionReport({ endedMs: endedMs - dayMs, bytes: 5 })]);
    await inbox.take(agent, [sessionReport({ endedMs: endedMs - dayMs, isGood: false })]);
    expect(await protection()).toMatchObject(expected);
    await inbox.take(agent, [sessionReport({ isGood: false })]);
    expect(await protection()).toMatchObject({
      ...expected,
      lastOutcome: "failure",
      lastEndedMs: ground().now(),
    });
    // One of the future counts from when it came.
    await inbox.take(agent, [sessionReport({ endedMs: ground().now() + 50 * dayMs })]);
    expect(await protection()).toMatchObject({ lastGoodMs: ground().now() - 10 * minuteMs });
  });

  it("make of silence what is overdue, and end that with the next good backup only", async () => {
    const { agent, inbox, statuses, standing, protection } = await scene();
    expect(await standing()).toBe("waiting");
    await statuses.take(agent, statusWith());
    expect(await standing()).toBe("ok");
    const sinceMs = ground().now();
    ground().advance(8 * hourMs);
    expect(await standing()).toBe("ok");
    ground().advance(minuteMs);
    expect(await standing()).toBe("overdue");
    expect(await protection()).toMatchObject({
      lastGoodMs: null,
      overdueSinceMs: sinceMs + 8 * hourMs,
    });
    await inbox.take(agent, [sessionReport({ isGood: false })]);
    expect(await standing()).toBe("overdue");
    await inbox.take(agent, [sessionReport({})]);
    expect((await protection())?.overdueSinceMs).toBeNull();
    expect(await standing()).toBe("ok");
    ground().advance(9 * hourMs);
    expect(await standing()).toBe("overdue");
    await ground().database.updateTable("agents").set({ status: "suspended" }).execute();
    expect(await standing()).toBe("suspended");
    expect((await protection())?.overdueSinceMs).toBeNull();
  });

  it("tell silent, failing and worried machines apart", async () => {
    const { agent, inbox, statuses, standing } = await scene();
    const long = { ...statusWith().policies[0], maximumAgeMs: 1000 * dayMs };
    await statuses.take(agent, statusWith({ policies: [long], health: "warning" }));
    expect(await standing()).toBe("warning");
    await inbox.take(agent, [sessionReport({ isGood: false })]);
    expect(await standing()).toBe("failing");
    await inbox.take(agent, [sessionReport({})]);
    await statuses.take(agent, statusWith({ policies: [long], health: "critical" }));
    expect(await standing()).toBe("error");
    ground().advance(8 * dayMs);
    expect(await standing()).toBe("silent");
    await ground().database.updateTable("agents").set({ status: "revoked" }).execute();
    expect(await standing()).toBe("revoked");
  });

  it("follow the policies of a machine, but not one that has lost its memory", async () => {
    const { agent, statuses, protection, standing } = await scene();
    await statuses.take(agent, statusWith());
    expect(await protection()).toMatchObject({ policyVersion: 4, maximumAgeMs: 8 * hourMs });
    await statuses.take(agent, statusWith({ policies: [], bundle: { state: "none" } }));
    expect(await protection()).toMatchObject({ policyVersion: 4 });
    const [policy] = statusWith().policies;
    expect(await standing()).toBe("ok");
    await statuses.take(agent, statusWith({ policies: [{ ...policy, enabled: false }] }));
    expect(await protection()).toBeUndefined();
    expect(await standing()).toBe("unprotected");
  });

  it("write the newest status of each machine, those that arrive together in one go", async () => {
    const { agent, statuses, tenantId } = await scene();
    const others = await Promise.all(
      Array.from({ length: 5 }, async () => await addMachine(ground(), tenantId)),
    );
    const gone = { id: "gone", tenantId };
    const taken = await Promise.allSettled([
      statuses.take(agent, statusWith({ health: "error" })),
      ...others.map(async (id) => await statuses.take({ id, tenantId }, statusWith())),
      statuses.take(gone, statusWith()),
      statuses.take(agent, statusWith({ health: "warning", clockOffsetMs: 7 })),
    ]);
    expect(taken.map(({ status }) => status)).toEqual([
      ...Array.from({ length: 6 }, () => "fulfilled"),
      "rejected",
      "fulfilled",
    ]);
    const rows = await ground().database.selectFrom("agent_live").selectAll().execute();
    expect(rows).toHaveLength(6);
    const row = rows.find(({ agent_id }) => agent_id === agent.id);
    expect(row).toMatchObject({ health: "warning", version: "1.2.3" });
    expect(JSON.parse(row?.status ?? "")).toMatchObject({ clockOffsetMs: 7 });
  });

  it("of one machine that come faster than they are written are written once, the newest", async () => {
    const { agent } = await scene();
    let transactions = 0;
    const { database } = ground();
    const counted = new Proxy(database, {
      get: (target, name) => {
        if (name !== "transaction") throw new Error(`not asked for: ${String(name)}`);
        transactions += 1;
        return () => target.transaction();
      },
    });
    const statuses = new StatusInbox({ ...ground(), now: ground().now, database: counted });
    await Promise.all(
      Array.from({ length: 50 }, async (_, clockOffsetMs) => {
        await statuses.take(agent, statusWith({ clockOffsetMs }));
      }),
    );
    expect(transactions).toBe(1);
    const row = await database.selectFrom("agent_live").selectAll().executeTakeFirstOrThrow();
    expect(JSON.parse(row.status ?? "")).toMatchObject({ clockOffsetMs: 49 });
  });

  it("give machines time to come back after the server was away, and say what it may have lost", async () => {
    const { agent, statuses, memory, standing } = await scene();
    await memory.look();
    await statuses.take(agent, statusWith());
    ground().advance(minuteMs);
    await memory.look();
    expect(await memory.gaps()).toBe("0");
    const lastMs = ground().now();
    ground().advance(10 * hourMs);
    expect(await memory.gaps()).toBe("0");
    await memory.look();
    expect(await memory.gaps()).toBe(`${ground().now()}-${lastMs}`);
    expect(await standing()).toBe("ok");
    ground().advance(31 * minuteMs);
    expect(await standing()).toBe("overdue");
  });

  it("are asked for again by each server that starts, also of machines that were off at the time", async () => {
    const { memory } = await scene();
    await memory.look();
    const expected: string[] = [];
    for (let start = 0; start < 5; start++) {
      const lastMs = ground().now();
      ground().advance(start === 3 ? hourMs : 10_000);
      const next = new ServerMemory(ground());
      await next.look();
      expected.push(`${ground().now()}-${lastMs}`);
      ground().advance(30_000);
      await next.look();
      expect(await next.gaps()).toBe(expected.join());
    }
    // There is room for five: the oldest are taken together.
    const [first = "", second = ""] = expected;
    const both = `${second.split("-")[0]}-${first.split("-")[1]}`;
    const lastMs = ground().now();
    ground().advance(1);
    const last = new ServerMemory(ground());
    await last.look();
    const all = [both, ...expected.slice(2), `${ground().now()}-${lastMs}`];
    expect(await last.gaps()).toBe(all.join());
  });

  it("are listed newest first, page by page, each once", async () => {
    const { agent, inbox, tenantId } = await scene();
    const times = [3, 1, 4, 1, 5, 9, 2, 6].map((minutes) => ground().now() - minutes * minuteMs);
    const batch = times.map((endedMs, i) => sessionReport({ id: `r.${i}`, endedMs }));
    await inbox.take(agent, batch);
    await inbox.take({ id: await addMachine(ground(), tenantId), tenantId }, batch);
    const sessions = new ReportedSessions(ground());
    const seen: string[] = [];
    const order: number[] = [];
    for (let after: string | null = null; ; ) {
      const items = await sessions.list("session", tenantId, { after, limit: 3 });
      seen.push(...items.map(({ id }) => id));
      order.push(...items.map(({ timeMs }) => timeMs));
      const last = items.at(-1);
      if (last === undefined) break;
      after = keyOf(last);
    }
    expect(new Set(seen).size).toBe(16);
    expect(order).toEqual(order.toSorted((a, b) => b - a));
    const found = await sessions.get("session", tenantId, `${agent.id}.r.2`);
    expect(found.report).toEqual(batch[2]);
    await expect(sessions.get("session", "another", found.id)).rejects.toThrow();
    const one = { agentId: agent.id, fromMs: times[4] ?? 0, untilMs: times[0] ?? 0 };
    expect(await sessions.list("session", null, { after: null, limit: 9 }, one)).toHaveLength(2);
  });

  it("are kept for a bounded time by the server's clock", async () => {
    const { agent, inbox } = await scene();
    const left = async () => {
      await dropOldReports(ground());
      const rows = await ground().database.selectFrom("reports").select("id").execute();
      return rows.map(({ id }) => id).sort();
    };
    const old = Array.from({ length: 30 }, (_, i) => event(`old ${i}`));
    await inbox.take(agent, [...old, sessionReport({ id: "session" })]);
    ground().advance(91 * dayMs);
    await inbox.take(agent, [{ ...event("new"), timeMs: 5 }]);
    expect(await left()).toEqual(["new", "session"]);
    ground().advance(310 * dayMs);
    expect(await left()).toEqual([]);
  });
});
