/** How real machines become members of a real fleet: at once, after an approval, by themselves, and as copies. */
import { cpSync, existsSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { EnrolmentRequestAnswer } from "../../protocol/management/enrolments.ts";
import { DaemonScene, until } from "../daemon/daemon-scene.ts";
import { ManagedScene } from "../fleet/managed-scene.ts";
import { ServerScene } from "../fleet/server-scene.ts";

describe.skipIf(process.platform === "win32")("enrolment", () => {
  let server: ServerScene;
  let scene: ManagedScene;

  beforeAll(async () => {
    server = await ServerScene.start();
  });
  afterAll(async () => await server.remove());
  beforeEach(async () => {
    scene = await ManagedScene.make(server);
    await scene.addPolicy();
  });
  afterEach(async () => await scene.remove());

  async function requested(): Promise<EnrolmentRequestAnswer> {
    let found: EnrolmentRequestAnswer | undefined;
    await until("the server has the request", async () => {
      const query = { tenantId: scene.tenantId };
      const place = "/api/v1/enrolment-requests";
      [found] = await server.client().list<EnrolmentRequestAnswer>(place, query);
      return found !== undefined;
    });
    if (found === undefined) throw new Error("unreachable");
    return found;
  }

  it("waits for an approval, says for what, and goes on by itself", async () => {
    await scene.machine.start();
    const token = await scene.token({ needsApproval: true });
    const now = await scene.enroll(token, "--no-wait");
    expect(now.exitCode).toBe(3);
    const request = await requested();
    for (const known of [request.id, request.keyThumbprint]) expect(now.stdout).toContain(known);
    const { agent, health } = await scene.machine.status();
    expect(agent).toMatchObject({ mode: "standalone", server: { state: "enrolling" } });
    expect(health.reasons).toContainEqual(expect.objectContaining({ code: "ENROLMENT_WAITS" }));
    // It goes on after a restart, without the token.
    await scene.machine.end("SIGKILL");
    await server.client().post(`/api/v1/enrolment-requests/${request.id}/approve`);
    await scene.machine.start();
    await scene.untilInForce();
    const status = await scene.machine.status();
    expect(status.agent).toMatchObject({ mode: "managed", server: { state: "enrolled" } });
    expect(status.health.reasons.map(({ code }) => code)).not.toContain("ENROLMENT_WAITS");
    const again = await scene.enroll(await scene.token());
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toContain("enrolled already");
  });

  it("begins with a token in a file, uses it once, and does not come back by itself after leaving", async () => {
    const file = scene.machine.at("config/enrolment-token");
    const token = await scene.token({ usesMax: 5 });
    writeFileSync(file, `${token}\n`, { mode: 0o600 });
    await scene.machine.start();
    await scene.untilInForce();
    expect(existsSync(file)).toBe(false);
    expect((await scene.machine.cli(["leave"])).exitCode).toBe(0);
    await scene.machine.end();
    writeFileSync(file, `${token}\n`, { mode: 0o600 });
    await scene.machine.start();
    expect((await scene.machine.status()).agent).not.toHaveProperty("server");
    expect(await scene.agents()).toHaveLength(1);
  });

  it("tells of a token that is refused, and asks no more with it", async () => {
    writeFileSync(scene.machine.at("config/enrolment-token"), await scene.token());
    const other = new DaemonScene();
    try {
      cpSync(scene.machine.at("config"), other.at("config"), { recursive: true });
      await scene.machine.start();
      await scene.untilInForce();
      await other.start();
      await until("the refusal is told", async () => {
        const { agent, health } = await other.status();
        const codes = health.reasons.map(({ code }) => code);
        return agent.server?.state === "refused" && codes.includes("ENROLMENT_REFUSED");
      });
      expect((await other.cli(["status"])).stdout).toContain("does not admit this machine");
    } finally {
      await other.remove();
    }
  });

  it("makes of each copy of a prepared image a machine of its own", async () => {
    await scene.join();
    const running = await scene.machine.cli(["enroll", "--prepare-image"]);
    expect(running.exitCode).toBe(1);
    await scene.machine.end();
    expect((await scene.machine.cli(["enroll", "--prepare-image"])).exitCode).toBe(0);
    writeFileSync(scene.machine.at("config/enrolment-token"), await scene.token({ usesMax: 2 }));
    const copy = new DaemonScene();
    try {
      cpSync(scene.machine.home, copy.home, { recursive: true });
      const ids: (string | undefined)[] = [(await scene.agent()).id];
      for (const machine of [scene.machine, copy]) {
        await machine.start();
        await until("it is enrolled", async () => {
          const { policies, agent } = await machine.status();
          return policies.length === 1 && agent.server?.state === "enrolled";
        });
        ids.push((await machine.status()).agent.server?.agentId);
      }
      expect(new Set(ids).size).toBe(3);
      expect(await scene.agents()).toHaveLength(3);
    } finally {
      await copy.remove();
    }
  });
});
