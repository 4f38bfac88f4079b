/** Policies of a server on a real machine: beside its own, within its guard rails, and with passwords that change. */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { newRecoveryKey, openRecovery } from "../../protocol/control/recovery-key.ts";
import type { EscrowAnswer, ReleasedEscrowAnswer } from "../../protocol/management/licences.ts";
import { until } from "../daemon/daemon-scene.ts";
import { ManagedScene } from "../fleet/managed-scene.ts";
import { ServerScene } from "../fleet/server-scene.ts";
import { backstayOn } from "../programs.ts";

describe.skipIf(process.platform === "win32")("policies of a server", () => {
  let server: ServerScene;
  let scene: ManagedScene;

  beforeAll(async () => {
    server = await ServerScene.start();
  });
  afterAll(async () => await server.remove());
  afterEach(async () => await scene.remove());

  const reasons = async (): Promise<string[]> =>
    (await scene.machine.status()).health.reasons.map(({ code, subject }) => `${code} ${subject}`);

  it("stand beside the machine's own, go before those of the same name, and never beyond its guard rails", async () => {
    scene = await ManagedScene.make(server);
    const { machine } = scene;
    await machine.storeSecret();
    machine.writePolicy("own");
    machine.writePolicy("documents");
    const rails = `guardRails: { sources: ["${machine.at("source")}"], remoteRestore: "off" }\n`;
    writeFileSync(machine.at("config/agent.yaml"), rails);
    await scene.addPolicy();
    await scene.addPolicy({ name: "system", source: { paths: ["/etc"] } });
    await scene.join();
    await until("the conditions are raised", async () => (await reasons()).length >= 2);
    expect(await reasons()).toEqual(
      expect.arrayContaining(["POLICY_HIDDEN documents", "POLICY_RESTRICTED server: system"]),
    );
    const { policies } = await machine.client.policies(new AbortController().signal);
    expect(policies.map(({ name, origin }) => [name, origin])).toEqual([
      ["documents", "server"],
      ["own", machine.at("config/policies/own.yaml")],
    ]);
    const target = machine.at("restored");
    expect(await scene.restore(target)).toMatchObject({
      state: "rejected",
      errorCode: "RESTORE_RESTRICTED",
    });
    await until("the server knows of the refused policy", async () => {
      const place = `/api/v1/agents/${(await scene.agent()).id}/conditions`;
      return JSON.stringify((await server.client().get(place)).body).includes("server: system");
    });
  });

  it("change the password of a repository without a new full, and leave a recovery password with the server", async () => {
    const key = newRecoveryKey();
    const recoveryKey = { id: key.id, key: key.publicKey };
    scene = await ManagedScene.make(server, { recoveryKey });
    const passwords = ["the first password of it", "the second password of it"] as const;
    await scene.addDirectRoute();
    await scene.putSecret("repository-password", passwords[0]);
    await scene.addPolicy({ encryption: { password: { secret: "repository-password" } } });
    await scene.join();
    const first = await scene.run();
    const { id: agentId } = await scene.agent();
    const repository = scene.gatewayFolder
      .replace("{tenant}", scene.tenantId)
      .replace("{agent}", agentId);
    const opens = async (password: string): Promise<boolean> =>
      (await backstayOn({ repository, password }).run("snapshots")).exitCode === 0;
    expect(await opens(passwords[0])).toBe(true);

    await scene.putSecret("repository-password", passwords[1]);
    await scene.sync();
    const second = await scene.run();
    expect(first.figures?.filesNew).toBe(1);
    expect(second.figures).toMatchObject({ filesNew: 0, filesUnmodified: 1 });
    expect(await opens(passwords[1])).toBe(true);
    await until("the server heard of the change", async () => {
      const events = await server
        .client()
        .list<{ report: Record<string, unknown> }>("/api/v1/events", { tenantId: scene.tenantId });
      return events.some(({ report }) => report["code"] === "PASSWORD_CHANGED");
    });

    let deposit: EscrowAnswer | undefined;
    await until("the recovery password is deposited", async () => {
      const query = { tenantId: scene.tenantId };
      [deposit] = await server.client().list<EscrowAnswer>("/api/v1/escrow", query);
      return deposit !== undefined;
    });
    const { body } = await server.client().post(`/api/v1/escrow/${deposit?.id}/release`);
    const { sealed } = body as ReleasedEscrowAnswer;
    const place = { agentId, repositoryId: scene.repositoryId };
    const { password } = openRecovery(sealed, key.privateKey, place);
    expect(await opens(password)).toBe(true);
    const log = readFileSync(scene.machine.at("state/log/backstayd.log"), "utf8");
    for (const secret of [...passwords, password]) expect(log).not.toContain(secret);
  });
});
