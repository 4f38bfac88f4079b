import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { refusalOf } from "../../protocol/control/agent-problem.ts";
import { rawPublicKey } from "../../protocol/control/curve-keys.ts";
import { entitlementStand } from "../../protocol/control/entitlement-stand.ts";
import type { LicenceDocument } from "../../protocol/control/licence.ts";
import { issueLicence } from "../../protocol/control/offline-signing.ts";
import { signDocument } from "../../protocol/control/signed-document.ts";
import { actor, BundleScene, sceneTenant } from "../../test/bundles/bundle-scene.ts";
import { makeSigningKey } from "../../test/bundles/signed-bundles.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { eachGround, testStartMs } from "../../test/server/test-ground.ts";
import { readIssuer } from "./licence-issuers.ts";
import { Licences } from "./licences.ts";

const dayMs = 86_400_000;
const key = makeSigningKey("issuer-1");
const issuer = { id: key.id, key: rawPublicKey(key.privateKey) };

const licence = (given: Partial<LicenceDocument> = {}): string =>
  issueLicence(
    {
      type: "licence",
      id: "licence-1",
      holder: "Acme",
      machines: { workstation: 2, server: 0 },
      validUntilMs: testStartMs + 100 * dayMs,
      graceDays: 30,
      issuedMs: testStartMs,
      ...given,
    },
    key,
  );

/** What keeps a machine out: why it is refused, or undefined. */
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

eachGround("licences", (ground) => {
  const room = async (licences: Licences, kind: "workstation" | "server" = "workstation") =>
    await refusal(licences.requireRoom(ground().database, kind));

  it("the community licence is there from the start: any number of machines, without end", async () => {
    const scene = await BundleScene.make(ground());
    const licences = new Licences(ground());
    await scene.addMachines(["pc1", "pc2", "pc3"]);
    ground().advance(50 * 365 * dayMs);
    expect(await licences.show()).toMatchObject({
      id: "community",
      holder: "community",
      stand: "valid",
      validUntilMs: null,
      graceDays: 0,
      machines: { workstation: { used: 3, most: null }, server: { used: 0, most: null } },
      installedMs: null,
    });
    expect(await room(licences)).toBeUndefined();
    expect(await room(licences, "server")).toBeUndefined();
  });

  it("holds so many machines of each kind; revoked ones leave their place to others", async () => {
    const scene = await BundleScene.make(ground());
    const licences = new Licences(ground(), issuer);
    await licences.install(actor, licence());
    await scene.addMachine("pc1");
    expect(await room(licences)).toBeUndefined();
    await scene.addMachine("pc2");
    expect(await room(licences)).toBe("licence-exceeded");
    expect(await room(licences, "server")).toBe("licence-exceeded");
    expect((await licences.show()).machines).toEqual({
      workstation: { used: 2, most: 2 },
      server: { used: 0, most: 0 },
    });
    await ground().database.updateTable("agents").set({ status: "revoked" }).execute();
    expect(await room(licences)).toBeUndefined();
  });

  it("goes through a warning and a grace before new machines are kept out, and a renewal ends that", async () => {
    await BundleScene.make(ground());
    const licences = new Licences(ground(), issuer);
    await licences.install(actor, licence());
    const seen: [string, string | undefined][] = [];
    for (const day of [69, 71, 99, 101, 129, 131]) {
      ground().setTime(testStartMs + day * dayMs);
      seen.push([(await licences.show()).stand, await room(licences)]);
    }
    expect(seen).toEqual([
      ["valid", undefined],
      ["renew-due", undefined],
      ["renew-due", undefined],
      ["grace", undefined],
      ["grace", undefined],
      ["lapsed", "licence-exceeded"],
    ]);
    const renewed = licence({ id: "licence-2", validUntilMs: testStartMs + 500 * dayMs });
    expect(await licences.install(actor, renewed)).toMatchObject({
      id: "licence-2",
      stand: "valid",
    });
    expect(await room(licences)).toBeUndefined();
  });

  it("is told to machines, which lose nothing of what they have when it lapses", async () => {
    const licences = new Licences(ground(), issuer);
    await licences.install(actor, licence());
    const scene = await BundleScene.make(ground(), licences);
    const machine = await scene.addMachine("pc1");
    await scene.policies.create(actor, sceneTenant, scene.settings([machine.id]));
    const secretsOf = ({ bundle }: Awaited<ReturnType<BundleScene["read"]>>): unknown[] =>
      bundle.secretNames.map((name) => [name, bundle.secret(name)?.toString()]);
    const before = await scene.read(machine);
    expect(before.bundle.entitlement).toMatchObject({
      agentId: "pc1",
      licenceId: "licence-1",
      validUntilMs: testStartMs + 100 * dayMs,
      graceDays: 30,
    });
    ground().setTime(testStartMs + 200 * dayMs);
    const after = await scene.read(machine);
    expect(entitlementStand(after.bundle.entitlement, ground().now())).toBe("lapsed");
    expect(after.bundle.intent).toBe("normal");
    expect(after.bundle.policies).toEqual(before.bundle.policies);
    expect(after.bundle.destinations).toEqual(before.bundle.destinations);
    expect(secretsOf(after)).toEqual(secretsOf(before));
    await licences.install(actor, licence({ id: "licence-2", validUntilMs: undefined }));
    const renewed = await scene.read(machine);
    expect(renewed.bundle.serial).toBeGreaterThan(after.bundle.serial);
    expect(entitlementStand(renewed.bundle.entitlement, ground().now())).toBe("valid");
  });

  it("is refused if it is damaged, lapsed, or anybody else's, and what counted still counts", async () => {
    await BundleScene.make(ground());
    const licences = new Licences(ground(), issuer);
    const good = licence();
    await licences.install(actor, good);
    const other = makeSigningKey("issuer-1");
    const content = { type: "licence", id: "x", holder: "x", machines: {}, issuedMs: 1 };
    for (const text of [
      "",
      "community",
      good.slice(0, -1),
      `${good.split(".").slice(0, 2).join(".")}.`,
      signDocument("licence", content, other),
      signDocument("licence", { ...content, machines: { server: -1 } }, key),
      // Signed by the issuer, but as something else.
      signDocument("bundle", content, key),
      licence({ validUntilMs: testStartMs - 31 * dayMs }),
    ])
      await expect(licences.install(actor, text)).rejects.toMatchObject({
        code: "LICENCE_INVALID",
      });
    expect(await licences.show()).toMatchObject({ id: "licence-1" });
    // Installed twice it is the same; with line feeds around it, as files have them.
    expect(await licences.install(actor, `\n${good}\n`)).toMatchObject({ id: "licence-1" });
    // To a server that believes another issuer none of it counts.
    expect(await new Licences(ground()).show()).toMatchObject({ id: "community" });
  });

  it("is installed with an entry in the audit log", async () => {
    await BundleScene.make(ground());
    await new Licences(ground(), issuer).install(actor, licence());
    const entries = await ground()
      .database.selectFrom("audit")
      .select(["actor", "action", "target"])
      .where("action", "=", "licence.install")
      .execute();
    expect(entries).toEqual([{ actor, action: "licence.install", target: "licence-1" }]);
  });
});

it("an issuer is read from a file, and a file that names none is told apart", async () => {
  const folder = newMemoryFolder("issuer-");
  const file = path.join(folder, "issuer.json");
  await expect(readIssuer(file)).rejects.toMatchObject({ code: "LICENCE_INVALID" });
  for (const text of ["", "{}", '{"id":"a","key":"short"}']) {
    writeFileSync(file, text);
    await expect(readIssuer(file)).rejects.toMatchObject({ code: "LICENCE_INVALID" });
  }
  writeFileSync(file, JSON.stringify(issuer));
  expect(await readIssuer(file)).toEqual(issuer);
  rmSync(folder, { recursive: true });
});
