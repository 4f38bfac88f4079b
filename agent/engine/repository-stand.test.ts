import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newPrivateKey, rawPublicKey } from "../../protocol/control/curve-keys.ts";
import { type RepositoryStand, stateObjectName } from "../../protocol/control/repository-stand.ts";
import type { RepositoryStateDocument } from "../../protocol/control/repository-state.ts";
import { type SigningKey, signDocument } from "../../protocol/control/signed-document.ts";
import type { RunOrder } from "../../protocol/run-order.ts";
import { LocalStore } from "../../storage/local/local-store.ts";
import { EngineOutput } from "./engine-output.ts";
import { obeyStand } from "./repository-stand.ts";

const { signal } = new AbortController();
const ids = { tenantId: "tenant", repositoryId: "repository" };
const keyOf = (id: string): SigningKey => ({ id, privateKey: newPrivateKey("ed25519") });
const key = keyOf("policy-1");
const keys = [{ id: key.id, key: rawPublicKey(key.privateKey) }];

describe("whether a repository takes part", () => {
  let folder: string;
  let store: LocalStore;

  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "backstay-stand-"));
    store = new LocalStore(folder, {});
    await store.create(signal);
  });
  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });

  const put = async (
    number: number,
    modes: RepositoryStand["modes"],
    given: Partial<RepositoryStateDocument> = {},
    signer = key,
  ): Promise<void> => {
    const document = { type: "repository-state", ...ids, number, modes, issuedMs: 0, ...given };
    const jws = signDocument("repository-state", document, signer);
    const handle = { type: "backstay" as const, name: stateObjectName(number) };
    await store.save(handle, new TextEncoder().encode(jws), signal);
  };
  /** What a session obeys, and why it may not work. */
  const obeyed = async (
    known?: RepositoryStand,
    kind: "backup" | "restore" | "check" = "backup",
    from: LocalStore = store,
  ): Promise<{ readonly stand: unknown; readonly code: string | undefined }> => {
    const told = new PassThrough();
    const output = new EngineOutput(
      told,
      (text) => text,
      () => undefined,
    );
    const stand = { ...ids, keys, ...(known !== undefined && { known }) };
    const order = { repository: { stand }, work: { kind } } as unknown as RunOrder;
    const code = await obeyStand(order, from, output, signal).then(
      () => undefined,
      (error: { code: string }) => error.code,
    );
    await output.finish({ outcome: "success", exitCode: 0, issues: 0 });
    const [message] = String(told.read())
      .split("\n")
      .filter((line) => line.includes('"stand"'));
    return {
      stand: message === undefined ? undefined : (JSON.parse(message) as { stand: object }).stand,
      code,
    };
  };

  it("is what the server told while the storage says nothing, or nothing newer", async () => {
    expect(await obeyed()).toEqual({ stand: undefined, code: undefined });
    const known = { number: 5, modes: ["maintenance"] as const };
    const fromServer = {
      stand: { ...known, source: "server" },
      code: "REPOSITORY_MAINTENANCE",
    };
    expect(await obeyed(known)).toEqual(fromServer);
    await put(4, []);
    expect(await obeyed(known)).toEqual(fromServer);
    const gone = new LocalStore(path.join(folder, "none"), {});
    expect(await obeyed(known, "backup", gone)).toEqual(fromServer);
  });

  it("is what the storage says if that is newer, whichever way", async () => {
    const known = { number: 5, modes: [] };
    await put(7, ["sealed"]);
    await put(6, ["maintenance"]);
    const stand = { number: 7, modes: ["sealed"], source: "storage" };
    expect(await obeyed(known)).toEqual({ stand, code: "REPOSITORY_SEALED" });
    expect(await obeyed(known, "restore")).toEqual({ stand, code: undefined });
    expect(await obeyed(known, "check")).toEqual({ stand, code: undefined });
    await put(8, ["maintenance", "sealed"]);
    for (const kind of ["backup", "restore", "check"] as const)
      expect((await obeyed(known, kind)).code, "maintenance wins").toBe("REPOSITORY_MAINTENANCE");
    await put(9, []);
    expect(await obeyed({ number: 8, modes: ["maintenance"] })).toEqual({
      stand: { number: 9, modes: [], source: "storage" },
      code: undefined,
    });
  });

  it("is nothing that anybody else has put there", async () => {
    await put(10, ["maintenance"], {}, keyOf("policy-1"));
    await put(11, ["maintenance"], {}, keyOf("another"));
    await put(12, ["maintenance"], { repositoryId: "other" });
    await put(13, ["maintenance"], { tenantId: "other" });
    await put(14, ["maintenance"], { number: 13 });
    const name = stateObjectName(15);
    await store.save({ type: "backstay", name }, Buffer.from("no document"), signal);
    await store.save({ type: "backstay", name: "repository-state.x" }, Buffer.from("x"), signal);
    expect(await obeyed()).toEqual({ stand: undefined, code: undefined });
    await put(9, ["sealed"]);
    expect((await obeyed()).code).toBe("REPOSITORY_SEALED");
  });
});
