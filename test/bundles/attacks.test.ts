/** Bundles of a real server in wrong hands, offered to a machine: refused, told, and nothing of it in force after a restart. */
import { createHmac } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BundleBook } from "../../agent/control/bundle-book.ts";
import { BundleCopy } from "../../agent/control/bundle-copy.ts";
import type { BundleInForce } from "../../agent/control/bundle-in-force.ts";
import { bundleConditions } from "../../agent/daemon/control/server-conditions.ts";
import { HealthBoard } from "../../agent/daemon/health/health-board.ts";
import { openState } from "../../agent/state/open-state.ts";
import type { State } from "../../agent/state/state.ts";
import { openDurableFiles } from "../../platform/open-durable-files.ts";
import type { BackstayError } from "../../protocol/backstay-error.ts";
import {
  type BundleDocument,
  bundleSerialMax,
  type DestinationDocument,
  signatureTypes,
} from "../../protocol/control/bundle.ts";
import { privateKeyOf, rawPublicKey } from "../../protocol/control/curve-keys.ts";
import { signDestination } from "../../protocol/control/offline-signing.ts";
import {
  type SigningKey,
  signDocument,
  signedHeader,
  unverifiedContent,
} from "../../protocol/control/signed-document.ts";
import { newMemoryFolder } from "../memory-folder.ts";
import { makeTestGround, type TestGround } from "../server/test-ground.ts";
import { noTrouble } from "../state/state-samples.ts";
import { actor, BundleScene, documentOf, type SceneMachine, sceneTenant } from "./bundle-scene.ts";

const { signal } = new AbortController();
const tenant2 = "tenant-2";
let folder: string;
let ground: TestGround;
let scene: BundleScene;
let machine: SceneMachine;
let state: State;

beforeEach(async () => {
  folder = newMemoryFolder("bundle-attacks-");
  for (const name of ["state", "identity"]) mkdirSync(path.join(folder, name));
  ground = await makeTestGround(path.join(folder, "server.db"));
  scene = await BundleScene.make(ground);
  machine = await scene.addMachine("pc1");
  await scene.policies.create(actor, sceneTenant, scene.settings([machine.id]));
  state = openTheState();
});

afterEach(async () => {
  state.close();
  await ground.close();
  rmSync(folder, { recursive: true });
});

const openTheState = (onTrouble: (trouble: BackstayError) => void = noTrouble): State =>
  openState({ folder: path.join(folder, "state"), nowMs: () => 1, onTrouble });

/** What the server gives out to a machine now. */
async function newest(of: SceneMachine = machine, serial = 0): Promise<string> {
  await scene.bundles.current(of.id, { serial });
  return (await scene.bundles.text(of.id)).jws;
}

/** The agent's side of it, as after a start. */
class Side {
  readonly #book: BundleBook;
  readonly #board: HealthBoard;

  private constructor(book: BundleBook) {
    this.#book = book;
    this.#board = new HealthBoard(
      state.conditions,
      () => 1,
      () => undefined,
    );
  }

  static async start(): Promise<Side> {
    const copy = new BundleCopy(openDurableFiles(), path.join(folder, "identity"));
    const reader = await scene.readerOf(machine);
    const book = new BundleBook({ reader, store: state.bundles, copy, nowMs: () => 1 });
    const side = new Side(book);
    await book.load();
    side.#look();
    return side;
  }

  get inForce(): BundleInForce | undefined {
    return this.#book.inForce;
  }

  get conditions(): string[] {
    return this.#board.reasons().map(({ code }) => code);
  }

  /** `accepted`, `unchanged`, or the code of the refusal. */
  async offer(jws: string): Promise<string> {
    const verdict = await this.#book.offer(jws, signal);
    this.#look();
    return verdict.kind === "refused" ? verdict.reason.code : verdict.kind;
  }

  #look(): void {
    const { inForce: bundle, refusal } = this.#book;
    const trustedMs = ground.now();
    bundleConditions(this.#board, { bundle, refusal, trustedMs, clockOffsetMs: 0 });
  }
}

async function policyKey(): Promise<SigningKey> {
  const key = (await scene.keys.ring()).signer("policy");
  if (key === undefined) throw new Error("no policy key");
  return key;
}

async function destinationKey(): Promise<SigningKey> {
  const found = (await scene.keys.list()).find(({ role }) => role === "destination");
  const id = found?.id ?? "";
  const seed = await scene.keys.exportDestinationKey(actor, id);
  return { id, privateKey: privateKeyOf("ed25519", seed) };
}

const contentOf = (jws: string): BundleDocument => unverifiedContent(jws) as BundleDocument;
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** The newest bundle with something else in it, one number higher, signed by a policy key that somebody has got hold of. */
async function altered(
  given: (content: BundleDocument) => Partial<BundleDocument>,
): Promise<string> {
  const content = contentOf(await newest());
  const changed = { ...content, serial: content.serial + 1, ...given(content) };
  return signDocument("bundle", changed, await policyKey());
}

/** The newest bundle, with a header and a signature of one's own. */
async function relabelled(header: object, sign: (text: string) => string): Promise<string> {
  const jws = await newest();
  const text = `${part({ ...signedHeader(jws), ...header })}.${jws.split(".")[1]}`;
  return `${text}.${sign(text)}`;
}

/** With another address in its destination. */
async function diverted(key: SigningKey): Promise<string> {
  return await altered(({ destinations: [jws] }) => {
    const content = unverifiedContent(jws) as DestinationDocument;
    const routes: DestinationDocument["routes"] = [
      { kind: "gateway", url: "https://evil.example/gateway", pins: [] },
    ];
    const next = { ...content, epoch: content.epoch + 1, routes };
    return { destinations: [signDocument("destination", next, key)] };
  });
}

/** What the server says next, while the machine is still kept from it. */
async function nextOfServer(paths: readonly string[] = ["/a", "/b", "/c"]): Promise<string> {
  const before = contentOf(await newest());
  const [policy] = await scene.policies.list(sceneTenant, { after: null, limit: 1 });
  const settings = scene.settings([machine.id], documentOf("documents", paths));
  await scene.policies.replace(actor, null, policy.id, policy.version, settings);
  return await newest(machine, before.serial);
}

interface Attack {
  readonly name: string;
  readonly code: string;
  /** Made while the first bundle is in force; `recorded` are those that the machine has had, oldest first. */
  readonly make: (recorded: readonly string[]) => Promise<string>;
}

const attacks: readonly Attack[] = [
  {
    name: "the bundle before it, replayed",
    code: "BUNDLE_OLD",
    make: async (recorded) => recorded[1],
  },
  {
    name: "one of before a key was retired, replayed",
    code: "BUNDLE_TRUST",
    make: async (recorded) => recorded[0],
  },
  {
    name: "the same number with another content",
    code: "BUNDLE_OLD",
    make: async () => await altered(({ serial }) => ({ serial, intent: "stop" })),
  },
  {
    name: "a lower number",
    code: "BUNDLE_OLD",
    make: async () => await altered(({ serial }) => ({ serial: serial - 2 })),
  },
  {
    name: "a number that no server gets to",
    code: "BUNDLE_INVALID",
    make: async () => await altered(() => ({ serial: bundleSerialMax + 1 })),
  },
  {
    name: "the bundle of another machine",
    code: "BUNDLE_FOREIGN",
    make: async () => await newest(await scene.addMachine("pc2")),
  },
  {
    name: "the bundle of a machine of another tenant",
    code: "BUNDLE_TRUST",
    make: async () => {
      await scene.addTenant(tenant2);
      return await newest(await scene.addMachine("pc3", tenant2));
    },
  },
  {
    name: "one that says it is for another tenant",
    code: "BUNDLE_FOREIGN",
    make: async () => await altered(() => ({ tenantId: tenant2 })),
  },
  {
    name: "another server's, with the same names",
    code: "BUNDLE_TRUST",
    make: async () => {
      const other = await makeTestGround(path.join(folder, "other.db"));
      const elsewhere = await BundleScene.make(other);
      await elsewhere.addMachine(machine.id);
      await elsewhere.bundles.current(machine.id, { serial: contentOf(await newest()).serial });
      const { jws } = await elsewhere.bundles.text(machine.id);
      await other.close();
      return jws;
    },
  },
  { name: "nothing", code: "BUNDLE_TRUNCATED", make: async () => "" },
  {
    name: "half of it",
    code: "BUNDLE_TRUNCATED",
    make: async () => (await newest()).slice(0, 400),
  },
  {
    name: "all but the last byte",
    code: "BUNDLE_TRUNCATED",
    make: async () => (await newest()).slice(0, -1),
  },
  {
    name: "without its signature",
    code: "BUNDLE_UNSIGNED",
    make: async () => `${(await newest()).split(".").slice(0, 2).join(".")}.`,
  },
  {
    name: "of alg none",
    code: "BUNDLE_UNSIGNED",
    make: async () => await relabelled({ alg: "none" }, () => ""),
  },
  {
    name: "of alg HS256, with the public key for a secret",
    code: "BUNDLE_UNSIGNED",
    make: async () => {
      const secret = Buffer.from(rawPublicKey((await policyKey()).privateKey), "base64url");
      return await relabelled({ alg: "HS256" }, (text) =>
        createHmac("sha256", secret).update(text).digest("base64url"),
      );
    },
  },
  {
    name: "of another purpose: a command",
    code: "BUNDLE_UNSIGNED",
    make: async () => signDocument("command", contentOf(await newest()), await policyKey()),
  },
  {
    name: "the signature of a command under the name of a bundle",
    code: "BUNDLE_UNSIGNED",
    make: async () => {
      const jws = signDocument("command", contentOf(await newest()), await policyKey());
      const [, content, signature] = jws.split(".");
      const header = { ...signedHeader(jws), typ: signatureTypes.bundle };
      return [part(header), content, signature].join(".");
    },
  },
  {
    name: "signed by the destination key",
    code: "BUNDLE_UNSIGNED",
    make: async () => signDocument("bundle", contentOf(await newest()), await destinationKey()),
  },
  {
    name: "without policies, by a mistake",
    code: "BUNDLE_EMPTY",
    make: async () => await altered(() => ({ policies: [], destinations: [] })),
  },
  {
    name: "with hardly anything left to back up",
    code: "BUNDLE_EMPTY",
    make: async () => await nextOfServer(["/elsewhere"]),
  },
  {
    name: "with a destination that the policy key has signed",
    code: "BUNDLE_DESTINATION",
    make: async () => await diverted(await policyKey()),
  },
  {
    name: "with a destination that says a destination key has signed it",
    code: "BUNDLE_DESTINATION",
    make: async () => {
      const { id } = await destinationKey();
      return await diverted({ ...(await policyKey()), id });
    },
  },
  {
    name: "with a policy that leads past the destinations",
    code: "BUNDLE_DESTINATION",
    make: async () =>
      await altered(({ policies: [{ document, ...rest }] }) => ({
        policies: [
          { ...rest, document: { ...document, destination: { repository: "/mnt/evil" } } },
        ],
      })),
  },
  {
    name: "with the trust of before a key was retired",
    code: "BUNDLE_TRUST",
    make: async (recorded) => {
      const { trust, serial } = contentOf(recorded[0]);
      return await altered(() => ({ trust, serial: serial + 100 }));
    },
  },
];

describe("a machine is offered", () => {
  it.each(attacks)("$name: $code", async ({ code, make }) => {
    const side = await Side.start();
    const first = await newest();
    expect(await side.offer(first)).toBe("accepted");
    // Afterwards its key is retired: what it has signed is worth nothing by then.
    const retired = await policyKey();
    await scene.keys.rotate(actor, "policy");
    await scene.keys.retire(actor, retired.id);
    const second = await newest(machine, contentOf(first).serial);
    expect(await side.offer(second)).toBe("accepted");
    expect(await side.offer(await nextOfServer(["/a", "/b", "/d"]))).toBe("accepted");
    const { hash } = side.inForce ?? {};
    expect(side.conditions).toEqual([]);

    const attack = await make([first, second]);
    expect(await side.offer(attack)).toBe(code);
    expect(side.inForce?.hash).toBe(hash);
    expect(side.conditions).toEqual(["BUNDLE_REFUSED"]);
    const started = await Side.start();
    expect(started.inForce?.hash).toBe(hash);
    expect(started.inForce?.policies.has("documents")).toBe(true);
    expect(await started.offer(attack)).toBe(code);
    // The server itself is still believed.
    expect(await started.offer(await nextOfServer())).toBe("accepted");
    expect(started.conditions).toEqual([]);
  });

  it("what a retired key has signed: refused, however high its number", async () => {
    const side = await Side.start();
    const first = await newest();
    await side.offer(first);
    const stolen = await policyKey();
    const high = signDocument("bundle", { ...contentOf(first), serial: bundleSerialMax }, stolen);
    expect(await side.offer(high)).toBe("accepted");
    await scene.keys.rotate(actor, "policy");
    await scene.keys.retire(actor, stolen.id);
    const next = await newest(machine, bundleSerialMax);
    expect(await side.offer(next)).toBe("accepted");
    expect(contentOf(next).serial).toBeLessThan(bundleSerialMax);
    expect(await side.offer(high)).toBe("BUNDLE_TRUST");
    const { trust } = contentOf(next);
    const again = { ...contentOf(first), serial: bundleSerialMax, trust };
    expect(await side.offer(signDocument("bundle", again, stolen))).toBe("BUNDLE_UNSIGNED");
    expect((await Side.start()).inForce?.serial).toBe(contentOf(next).serial);
  });

  it("a bundle while its clock is years behind or ahead: taken all the same, a clock decides nothing", async () => {
    const side = await Side.start();
    const day = await newest();
    ground.setTime(0);
    expect(await side.offer(day)).toBe("accepted");
    expect(side.conditions).toEqual([]);
    ground.setTime(Date.UTC(2040, 0));
    expect((await Side.start()).inForce?.serial).toBe(contentOf(day).serial);
    // That it is old is said; it is in force nevertheless.
    expect((await Side.start()).conditions).toEqual(["BUNDLE_STALE"]);
  });
});

describe("keys change, and a machine follows", () => {
  const repository = async () =>
    (await scene.repositories.list(sceneTenant, { after: null, limit: 1 }))[0];
  const serialOf = ({ inForce }: Side): number => inForce?.serial ?? 0;
  const placeOf = ({ inForce }: Side): string | undefined =>
    [...(inForce?.destinations.values() ?? [])][0]?.routes[0]?.repository;

  it("to another destination key; where the old one leads, nothing goes any more", async () => {
    const side = await Side.start();
    expect(await side.offer(await newest())).toBe("accepted");
    const [signedByOld] = contentOf(await newest()).destinations;
    const { id: old } = await destinationKey();
    await scene.keys.rotate(actor, "destination");
    // Both are believed until what the old one has signed is signed anew.
    expect(await side.offer(await newest(machine, serialOf(side)))).toBe("accepted");
    await scene.repositories.refresh(actor);
    await scene.keys.retire(actor, old);
    expect(await side.offer(await newest(machine, serialOf(side)))).toBe("accepted");
    const { epoch } = [...(side.inForce?.destinations.values() ?? [])][0];
    const { trust, ...content } = contentOf(await newest());
    expect(signedHeader(content.destinations[0]).kid).not.toBe(old);
    expect((unverifiedContent(signedByOld) as DestinationDocument).epoch).toBeLessThan(epoch);
    const attack = { ...content, trust, serial: content.serial + 1, destinations: [signedByOld] };
    const forged = signDocument("bundle", attack, await policyKey());
    expect(await side.offer(forged)).toBe("BUNDLE_DESTINATION");
  });

  it("to a destination key that is kept offline: the server alone leads backups nowhere else", async () => {
    const side = await Side.start();
    const key = await destinationKey();
    await scene.keys.removePrivateHalf(actor, key.id);
    expect(await side.offer(await newest())).toBe("accepted");
    const before = placeOf(side);
    const { id, version, ...settings } = await repository();
    const changed = await scene.repositories.replace(actor, null, id, version, {
      ...settings,
      routes: [{ kind: "direct", url: "/mnt/other/{tenant}/{agent}" }],
    });
    expect(await side.offer(await newest(machine, serialOf(side)))).toBe("unchanged");
    expect(placeOf(side)).toBe(before);
    const signed = signDestination(changed.unsigned, key);
    await scene.repositories.acceptSignature(actor, null, id, signed);
    expect(await side.offer(await newest(machine, serialOf(side)))).toBe("accepted");
    expect(placeOf(side)).toBe("/mnt/other/tenant-1/pc1");
    // What it was before is not signed again for anybody who has the server.
    const back = await altered(() => ({
      destinations: [contentOf(state.bundles.all()[1].jws).destinations[0]],
    }));
    expect(await side.offer(back)).toBe("BUNDLE_DESTINATION");
    expect(placeOf(await Side.start())).toBe("/mnt/other/tenant-1/pc1");
  });
});

describe("what a machine keeps is verified at every start", () => {
  const copyFile = (): string => path.join(folder, "identity", "bundle.json");

  /** Two bundles were accepted, then somebody who can write files has put this in their places. */
  const tampered = async (jws: (newest: string) => Promise<string>): Promise<Side> => {
    const side = await Side.start();
    await side.offer(await newest());
    await side.offer(await nextOfServer());
    const [kept, before] = state.bundles.all();
    const forged = { ...kept, jws: await jws(kept.jws) };
    state.bundles.clear();
    state.bundles.put(before);
    state.bundles.put(forged);
    const { floors } = kept;
    writeFileSync(copyFile(), JSON.stringify({ version: 1, floors, bundle: forged.jws }));
    return await Side.start();
  };

  it.each<[string, (jws: string) => Promise<string>]>([
    ["cut", async (jws) => jws.slice(0, -10)],
    ["changed", async (jws) => jws.replace(".", ".A")],
    ["diverted", async () => await diverted(await policyKey())],
    ["for another machine", async () => await newest(await scene.addMachine("pc2"))],
  ])("a newest one that was %s is not in force, the one before it is", async (_, forge) => {
    const first = contentOf(await newest()).serial;
    const side = await tampered(forge);
    expect(side.inForce?.serial).toBe(first);
    expect(side.conditions).toEqual(["BUNDLE_REFUSED"]);
    expect(await side.offer(await newest())).toBe("accepted");
    expect(side.conditions).toEqual([]);
  });

  it("with all of it lost the machine has no policies of the server, says so, and takes the next one", async () => {
    const side = await Side.start();
    await side.offer(await newest());
    const [kept] = state.bundles.all();
    state.bundles.clear();
    state.bundles.put({ ...kept, jws: "x" });
    rmSync(copyFile());
    const started = await Side.start();
    expect(started.inForce).toBeUndefined();
    expect(started.conditions).toEqual(["BUNDLE_REFUSED"]);
    expect(await started.offer(await newest())).toBe("accepted");
  });

  it("a damaged database of the agent: the copy beside the identity is in force, and nothing older is taken", async () => {
    const side = await Side.start();
    const first = await newest();
    await side.offer(first);
    await side.offer(await nextOfServer());
    const { hash } = side.inForce ?? {};
    state.close();
    const file = path.join(folder, "state", "state.db");
    writeFileSync(file, Buffer.alloc(8192, 0x5a));
    for (const end of ["-wal", "-shm"]) rmSync(`${file}${end}`, { force: true });
    const troubles: string[] = [];
    state = openTheState(({ code }) => troubles.push(code));
    expect(troubles).toEqual(["STATE_DAMAGED"]);
    const started = await Side.start();
    expect(started.inForce?.hash).toBe(hash);
    expect(await started.offer(first)).toBe("BUNDLE_OLD");
  });
});
