/** What a lapsed licence does to machines that come, that come back, and that are there: the first are kept out, nothing else. */
import { expect, it } from "vitest";
import { refusalOf } from "../../protocol/control/agent-problem.ts";
import { rawPublicKey } from "../../protocol/control/curve-keys.ts";
import { issueLicence } from "../../protocol/control/offline-signing.ts";
import { makeFleetIdentity } from "../../server/fleet/fleet-identity.ts";
import { Licences } from "../../server/licence/licences.ts";
import { madeMachine } from "../identity/made-machine.ts";
import { eachGround, testStartMs } from "../server/test-ground.ts";
import { actor, BundleScene, sceneTenant } from "./bundle-scene.ts";
import { makeSigningKey } from "./signed-bundles.ts";

const dayMs = 86_400_000;
const key = makeSigningKey("issuer-1");

eachGround("a licence and the machines", (ground) => {
  it("keeps out new ones when it has lapsed; those that come back and those that are there stay", async () => {
    const licences = new Licences(ground(), { id: key.id, key: rawPublicKey(key.privateKey) });
    const scene = await BundleScene.make(ground(), licences);
    const fleet = makeFleetIdentity(ground(), {
      rootKey: async () => await scene.keys.rootKey(),
      admission: async (queries, _tenantId, kind) => await licences.requireRoom(queries, kind),
    });
    await licences.install(
      actor,
      issueLicence(
        {
          type: "licence",
          id: "licence-1",
          holder: "Acme",
          machines: {},
          validUntilMs: testStartMs + dayMs,
          graceDays: 30,
          issuedMs: testStartMs,
        },
        key,
      ),
    );
    const { token } = await fleet.enrolmentTokens.create(actor, sceneTenant, {
      name: "token",
      usesMax: 100,
      expiresMs: testStartMs + 1000 * dayMs,
      groupId: null,
      labels: {},
      networks: [],
      needsApproval: false,
      agentId: null,
    });
    const enrol = async (machine: ReturnType<typeof madeMachine>): Promise<string> => {
      try {
        const outcome = await fleet.enrolments.enrol(machine.request(token), "192.0.2.1");
        return outcome.kind === "admitted" ? outcome.answer.agentId : outcome.kind;
      } catch (error) {
        return refusalOf(error) ?? String(error);
      }
    };
    const known = madeMachine("known");
    const id = await enrol(known);
    const inGrace = madeMachine("in-grace");
    ground().setTime(testStartMs + 20 * dayMs);
    expect(await enrol(inGrace)).not.toBe("licence-exceeded");
    ground().setTime(testStartMs + 40 * dayMs);
    expect(await enrol(madeMachine("late"))).toBe("licence-exceeded");
    expect(await enrol(known)).toBe(id);
    await scene.policies.create(actor, sceneTenant, scene.settings([id]));
    expect((await scene.bundles.current(id, { serial: 0 })).serial).toBeGreaterThan(0);
  });
});
