import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { forgetIdentity, prepareImage, unattendedToken } from "../../agent/control/enrolment.ts";
import {
  encodeEnrolmentToken,
  parseEnrolmentToken,
} from "../../protocol/control/enrolment-token.ts";
import { machineRepository } from "../../server/bundles/machine-repositories.ts";
import { Agents } from "../../server/fleet/agents.ts";
import type { EnrolmentTokenSettings } from "../../server/fleet/enrolment-tokens.ts";
import { GatewayAccounts } from "../../server/gateway/gateway-accounts.ts";
import { ask, EnrollingMachine, outcomeOf } from "./enrolling-machine.ts";
import { IdentityServer } from "./identity-server.ts";
import { madeMachine } from "./made-machine.ts";
import { mortalLife } from "./mortal-machine.ts";

const admin = "token:test";
const everything = { after: null, limit: 1000 };

describe("enrolment", () => {
  let server: IdentityServer;
  let machine: EnrollingMachine;

  beforeEach(async () => {
    server = await IdentityServer.start();
    machine = newMachine("web");
  });
  afterEach(async () => {
    await server.stop();
  });

  const newMachine = (name: string): EnrollingMachine =>
    new EnrollingMachine(name, server.ground.now());
  const kind = async (of = machine): Promise<string> => (await of.open()).kind;
  const waiting = async () =>
    await server.fleet.enrolments.list(null, everything, { state: "pending" });

  /** An administrator lets in whoever waits. */
  async function approveAll(): Promise<void> {
    for (const { id, version } of await waiting())
      await server.fleet.enrolments.approve(admin, null, id, version);
  }

  it("by a token makes a machine a member; the same again, or after a restart, changes nothing", async () => {
    const token = await server.token({ labels: { site: "north" } });
    const { membership } = await machine.enroll(` ${token.slice(0, 40)}\n${token.slice(40)} `);
    expect(membership).toMatchObject({ tenantId: server.tenantId, urls: [server.url] });
    const [row, ...others] = await server.agents();
    expect(others).toEqual([]);
    expect(row).toMatchObject({ id: membership.agentId, name: "web", status: "active" });
    server.requests.length = 0;
    for (const again of [token, undefined])
      expect((await machine.enroll(again)).membership).toEqual(membership);
    expect(server.requests).toEqual([]);
    expect(await outcomeOf(machine.enroll(await server.token()))).toBe("ENROLLED_ALREADY");
    expect(await kind()).toBe("enrolled");
    expect(await ask(await machine.start())).toBe("ok");
    const [{ identitySeed, sealingSeed }, secret] = [
      await keysOf(machine),
      parseEnrolmentToken(token).s,
    ];
    for (const text of [identitySeed, sealingSeed, secret])
      expect(await server.everything()).not.toContain(text);
  });

  async function keysOf(of: EnrollingMachine) {
    const { record } = await of.store.read();
    if (record === undefined) throw new Error("no record");
    return record.keys;
  }

  it.each<[string, Partial<EnrolmentTokenSettings>, (token: string) => unknown, string]>([
    ["used up", {}, async (token) => await useBy("another", token), "token-exhausted"],
    ["expired", {}, () => server.ground.advance(3_600_001), "token-expired"],
    ["revoked", {}, async (token) => await revoke(token), "token-unknown"],
    [
      "of another network",
      { networks: ["10.0.0.0/8", "::1/128"] },
      () => undefined,
      "token-network",
    ],
    ["with another secret", {}, (token) => changed(token, { s: "A".repeat(43) }), "token-unknown"],
    ["nobody's", {}, (token) => changed(token, { i: "nobody" }), "token-unknown"],
    ["damaged", {}, (token) => token.slice(0, -9), "ENROLMENT_TOKEN_INVALID"],
  ])(
    "refuses a token that is %s, says why, and leaves nothing behind",
    async (_, settings, spoil, said) => {
      const good = await server.token(settings);
      const spoilt = await spoil(good);
      const uses = await server.uses();
      const token = typeof spoilt === "string" ? spoilt : good;
      expect(await outcomeOf(machine.enroll(token))).toBe(said);
      expect(await kind()).toBe("none");
      expect(await outcomeOf(machine.enroll())).toBe("NOT_ENROLLED");
      expect(await server.uses()).toBe(uses);
      expect((await server.agents()).filter(({ name }) => name === "web")).toEqual([]);
      expect(await outcomeOf(machine.enroll(await server.token()))).toBe("ok");
    },
  );

  async function useBy(name: string, token: string): Promise<void> {
    await newMachine(name).enroll(token);
  }

  async function revoke(token: string): Promise<void> {
    await server.fleet.enrolmentTokens.revoke(admin, null, parseEnrolmentToken(token).i);
  }

  function changed(token: string, by: object): string {
    return encodeEnrolmentToken({ ...parseEnrolmentToken(token), ...by });
  }

  it("gives each use of a token to one machine", async () => {
    const token = await server.token({ usesMax: 2 });
    const machines = Array.from({ length: 5 }, (_, number) => newMachine(`m${number}`));
    const outcomes = await Promise.all(
      machines.map(async (each) => await outcomeOf(each.enroll(token))),
    );
    expect(outcomes.sort()).toEqual(["ok", "ok", ...Array(3).fill("token-exhausted")]);
    expect(await server.agents()).toHaveLength(2);
  });

  it("waits for an administrator where the token wants that, over restarts", async () => {
    const token = await server.token({ needsApproval: true });
    const heard: string[] = [];
    const wait = { onWaiting: (_: unknown, key: string) => heard.push(key) };
    expect(await outcomeOf(machine.enroll(token, wait))).toBe("ENROLMENT_WAITING");
    expect(await kind()).toBe("enrolling");
    expect(await outcomeOf(machine.enroll(undefined, wait))).toBe("ENROLMENT_WAITING");
    const [request, ...others] = await waiting();
    expect(others).toEqual([]);
    expect(request).toMatchObject({ facts: { hostName: "web" }, address: "127.0.0.1" });
    // People compare what both sides show.
    expect(new Set(heard)).toEqual(new Set([request.keyThumbprint]));
    await approveAll();
    const { membership } = await machine.enroll();
    expect((await server.agents()).map(({ id }) => id)).toEqual([membership.agentId]);
  });

  it("asks again by itself while it waits, as long as it was told to", async () => {
    const token = await server.token({ needsApproval: true });
    const waitMs = 40_000;
    expect(await outcomeOf(machine.enroll(token, { waitMs }))).toBe("ENROLMENT_WAITING");
    expect(machine.clock.sleeps).toEqual([15_000, 15_000, 10_000]);
    let isApproved: Promise<void> | undefined;
    const onWaiting = (): void => {
      isApproved ??= approveAll();
    };
    await machine.enroll(undefined, { waitMs: Number.MAX_SAFE_INTEGER, onWaiting });
    await isApproved;
    expect(await kind()).toBe("enrolled");
  });

  it("that was denied is over, and the token's use is gone", async () => {
    const token = await server.token({ needsApproval: true });
    await outcomeOf(machine.enroll(token));
    const [{ id, version }] = await waiting();
    await server.fleet.enrolments.deny(admin, null, id, version);
    expect(await outcomeOf(machine.enroll())).toBe("enrolment-denied");
    expect(await kind()).toBe("none");
    expect(await outcomeOf(machine.enroll())).toBe("NOT_ENROLLED");
    expect(await outcomeOf(newMachine("other").enroll(token))).toBe("token-exhausted");
  });

  it("whose answers get lost, or requests, takes the token's use once", async () => {
    const token = await server.token();
    for (const [moment, times] of [
      ["arrival", 2],
      ["answer", 3],
    ] as const) {
      let left: number = times;
      server.breaks = (now) => now === moment && left-- > 0;
      while (left > 0) expect(await outcomeOf(machine.enroll(token))).toBe("LINK_FAILED");
      expect(await kind()).toBe("enrolling");
    }
    server.breaks = () => false;
    const { membership } = await machine.enroll();
    expect((await server.agents()).map(({ id }) => id)).toEqual([membership.agentId]);
    expect(await server.uses()).toBe(1);
  });

  it.each([false, true])(
    "killed at any of its steps ends as one member, or as none (approval: %s)",
    async (needsApproval) => {
      async function join(
        of: EnrollingMachine,
        token?: string,
        signal?: AbortSignal,
      ): Promise<void> {
        const wait = signal === undefined ? {} : { signal };
        const first = await outcomeOf(of.enroll(token, wait));
        if (first === "ok") return;
        if (first !== "ENROLMENT_WAITING") throw new Error(first);
        await approveAll();
        await of.enroll(undefined, wait);
      }
      let steps = 0;
      for (; ; steps += 1) {
        const mortal = newMachine(`machine ${steps}`);
        const token = await server.token({ needsApproval });
        const life = mortalLife(mortal, server, steps);
        const isDone = (await outcomeOf(join(mortal, token, life.signal))) === "ok";
        life.end();
        const left = await kind(mortal);
        const known = async () =>
          (await server.agents()).filter(({ name }) => name === mortal.name);
        if (left === "none") expect(await known()).toEqual([]);
        if (!isDone) await join(mortal, left === "none" ? token : undefined);
        const identity = await mortal.open();
        if (identity.kind !== "enrolled") throw new Error(identity.kind);
        expect((await known()).map(({ id }) => id)).toEqual([identity.machine.membership.agentId]);
        expect(mortal.keeper.kept.get("identity")).toEqual(mortal.keeper.kept.get("identity-copy"));
        expect(await ask(await mortal.start())).toBe("ok");
        mortal.stop();
        if (isDone) break;
      }
      expect(steps).toBe(needsApproval ? 8 : 6);
      expect(await server.uses()).toBe(steps + 1);
    },
  );

  it("of a revoked machine ends its access within seconds, and a voucher gives it its place again", async () => {
    const { agentId } = (await machine.enroll(await server.token())).membership;
    const link = await machine.start();
    const { ground } = server;
    const repositoryId = await addRepository();
    const place = { tenantId: server.tenantId, agentId, repositoryId };
    const account = await machineRepository(ground.database, ground, place);
    const password = Buffer.from(`${agentId}:${account.gatewayPassword.toString()}`);
    const authorization = `Basic ${password.toString("base64")}`;
    const atGateway = async (): Promise<boolean> =>
      await new GatewayAccounts(ground).admit({ repositoryId, agentId, authorization }).then(
        () => true,
        () => false,
      );
    expect([await ask(link), await atGateway()]).toEqual(["ok", true]);
    const agents = new Agents(ground);
    await agents.setStatus(admin, null, agentId, "revoked");
    ground.advance(6000);
    expect([await ask(link), await atGateway()]).toEqual(["agent-revoked", false]);
    expect(await kind()).toBe("enrolled");
    // Nobody comes back by an old token, not even with the old keys.
    const voucher = await server.token({ agentId });
    const reinstalled = newMachine("web");
    expect((await reinstalled.enroll(voucher)).membership.agentId).toBe(agentId);
    ground.advance(6000);
    expect([await ask(await reinstalled.start()), await atGateway()]).toEqual(["ok", true]);
    expect(await ask(link)).toBe("signature-invalid");
    expect(await server.agents()).toHaveLength(1);
    const again = await machineRepository(ground.database, ground, place);
    expect(again).toEqual(account);
  });

  async function addRepository(): Promise<string> {
    const { database, now } = server.ground;
    const id = "0198f3c0-0000-7000-8000-000000000001";
    const row = { id, tenant_id: server.tenantId, name: "main", routes: "[]", quotas: "{}" };
    const rest = { epoch: 1, destination: null, unsigned: null, created_ms: now(), version: 1 };
    await database
      .insertInto("repositories")
      .values({ ...row, ...rest })
      .execute();
    return id;
  }

  it("again of a machine whose identity is damaged keeps its place", async () => {
    const { agentId } = (await machine.enroll(await server.token())).membership;
    for (const name of ["identity", "identity-copy"])
      machine.keeper.kept.set(name, Buffer.from("?"));
    expect(await kind()).toBe("damaged");
    expect(await outcomeOf(machine.enroll())).toBe("IDENTITY_DAMAGED");
    const voucher = await server.token({ agentId });
    expect((await machine.enroll(voucher)).membership.agentId).toBe(agentId);
    expect(await server.agents()).toHaveLength(1);
  });

  it("of a copy with a token of its own begins afresh", async () => {
    const { membership } = await machine.enroll(await server.token());
    const copy = machine.copied("copy");
    expect(await kind(copy)).toBe("copied");
    const own = (await copy.enroll(await server.token())).membership;
    expect(own.agentId).not.toBe(membership.agentId);
    expect((await keysOf(copy)).installationId).not.toBe((await keysOf(machine)).installationId);
    expect(await ask(await machine.start())).toBe("ok");
  });

  it("takes no other machine's request for its own", async () => {
    const token = await server.token();
    const thief = madeMachine("thief");
    const seen = { ...madeMachine("web").request(token), ...thief.raw };
    await expect(server.fleet.enrolments.enrol(seen, "127.0.0.1")).rejects.toThrow(/no such/);
    expect(await outcomeOf(machine.enroll(token))).toBe("ok");
  });

  describe("without people", () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(path.join(tmpdir(), "backstay-token-"));
    });
    afterEach(() => rmSync(folder, { recursive: true, force: true }));
    const file = (name = "enrolment-token"): string => path.join(folder, name);

    it("finds its token in the environment, in the file that this names, or in the usual place", async () => {
      const token = await server.token();
      const found = async (environment: Record<string, string>): Promise<string> =>
        await unattendedToken(machine.parts, environment, file()).then(
          (text) => (text === undefined ? "none" : parseEnrolmentToken(text).i),
          (error: { code: string }) => error.code,
        );
      const id = parseEnrolmentToken(token).i;
      expect(await found({})).toBe("none");
      writeFileSync(file(), `${token}\n`);
      expect(await found({})).toBe(id);
      writeFileSync(file("named"), `\r\n${token}\r\n`);
      expect(await found({ BACKSTAY_ENROLL_TOKEN_FILE: file("named") })).toBe(id);
      expect(await found({ BACKSTAY_ENROLL_TOKEN_FILE: file("gone") })).toBe(
        "ENROLMENT_TOKEN_INVALID",
      );
      expect(await found({ BACKSTAY_ENROLL_TOKEN: token.slice(0, 50) })).toBe(
        "ENROLMENT_TOKEN_INVALID",
      );
      expect(await found({ BACKSTAY_ENROLL_TOKEN: token })).toBe(id);
      // It does not come back by itself where somebody had it leave.
      await machine.enroll(token);
      await forgetIdentity(machine);
      expect(await found({ BACKSTAY_ENROLL_TOKEN: token })).toBe("none");
    });

    it("makes each copy of a prepared image a machine of its own", async () => {
      const token = await server.token({ usesMax: 4 });
      await machine.enroll(token);
      await prepareImage(machine);
      expect(await kind()).toBe("none");
      expect([...machine.keeper.kept.keys()]).toEqual([]);
      const environment = { BACKSTAY_ENROLL_TOKEN: token };
      const ids = new Set<string>();
      for (const name of ["copy 1", "copy 2", "copy 3"]) {
        const copy = machine.copied(name);
        const given = await unattendedToken(copy.parts, environment, file());
        ids.add((await copy.enroll(given)).membership.agentId);
        ids.add((await keysOf(copy)).installationId);
        expect(await kind(copy)).toBe("enrolled");
      }
      expect(ids.size).toBe(6);
      expect(new Set((await server.agents()).map((row) => row.identity_key)).size).toBe(4);
    });
  });
});
