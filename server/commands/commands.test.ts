import { generateKeyPairSync } from "node:crypto";
import { readdirSync } from "node:fs";
import { utimes } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { agentRefusal, refusalOf } from "../../protocol/control/agent-problem.ts";
import { type CommandOrder, commandDocument } from "../../protocol/control/command.ts";
import { rawPublicKey } from "../../protocol/control/curve-keys.ts";
import { bodyHash } from "../../protocol/control/request-signature.ts";
import { signDocument, verifyDocument } from "../../protocol/control/signed-document.ts";
import { addMachine, addTenant } from "../../test/server/fleet-rows.ts";
import { eachGround } from "../../test/server/test-ground.ts";
import { sweepCommands } from "./command-sweep.ts";
import { CommandUploads } from "./command-uploads.ts";
import { type CommandSigner, Commands } from "./commands.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const signer: CommandSigner = async () => (command) =>
  signDocument("command", command, { id: "k", privateKey });
const expected = {
  type: "command" as const,
  schema: commandDocument,
  keys: [{ id: "k", key: rawPublicKey(publicKey) }],
};
const run: CommandOrder = { kind: "run", policy: "documents", cause: "manual" };
const sync: CommandOrder = { kind: "sync" };
const actor = "token:t";
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const all = { after: null, limit: 100 };

const codeOf = async (work: Promise<unknown>): Promise<string> =>
  await work.then(
    () => "done",
    (error) => refusalOf(error) ?? (isBackstayError(error) ? error.code : String(error)),
  );

eachGround("commands", (ground) => {
  const scene = async () => {
    const commands = new Commands(ground(), signer);
    const tenantId = await addTenant(ground());
    const agentId = await addMachine(ground(), tenantId);
    const told = { state: "accepted" as const, timeMs: ground().now(), text: "" };
    return { commands, tenantId, agentId, told };
  };

  it("go to their machine, signed, until it says how they ended, and tell what it said", async () => {
    const { commands, tenantId, agentId, told } = await scene();
    const woken: string[] = [];
    ground().wakeups.subscribe(`agent:${agentId}`, () => woken.push(agentId));
    const command = await commands.create(actor, tenantId, { agentId, order: run });
    expect(woken).toEqual([agentId]);
    expect(await commands.waitingFor(agentId)).toBe(1);
    const [jws = ""] = (await commands.openFor(agentId)).commands;
    const document = verifyDocument(jws, expected);
    expect(document).toMatchObject({ id: command.id, agentId, tenantId, order: run });
    expect(document.expiresMs).toBe(command.expiresMs);
    await commands.progress(agentId, command.id, told);
    expect(await commands.openFor(agentId)).toEqual({ commands: [jws], taken: [command.id] });
    expect(await commands.waitingFor(agentId)).toBe(0);
    await commands.progress(agentId, command.id, { ...told, state: "running", sessionId: "s1" });
    await commands.progress(agentId, command.id, {
      ...told,
      state: "failed",
      sessionId: "s1",
      text: "no disk",
      errorCode: "REPOSITORY_UNREACHABLE",
    });
    expect(await commands.get(tenantId, command.id)).toMatchObject({
      state: "failed",
      text: "no disk",
      sessionId: "s1",
      errorCode: "REPOSITORY_UNREACHABLE",
    });
    expect(await commands.openFor(agentId)).toEqual({ commands: [], taken: [] });
  });

  it("take each word once: none that is late, repeated, or about another machine's command", async () => {
    const { commands, tenantId, agentId, told } = await scene();
    const other = await addMachine(ground(), tenantId);
    const { id } = await commands.create(actor, null, { agentId, order: run });
    const later = { ...told, timeMs: told.timeMs + 5 };
    await commands.progress(agentId, id, { ...later, state: "running", text: "new" });
    await commands.progress(agentId, id, { ...told, state: "running", text: "old" });
    await commands.progress(agentId, id, told);
    expect(await commands.get(null, id)).toMatchObject({ state: "running", text: "new" });
    await commands.progress(agentId, id, { ...told, state: "succeeded", text: "done" });
    await commands.progress(agentId, id, { ...later, state: "failed", text: "not done" });
    await commands.progress(agentId, id, { ...later, state: "running" });
    expect(await commands.get(null, id)).toMatchObject({ state: "succeeded", text: "done" });
    expect(await codeOf(commands.progress(other, id, told))).toBe("not-found");
    expect(await codeOf(commands.progress(agentId, "none", told))).toBe("not-found");
  });

  it("replace a queued one of the same order, and no other", async () => {
    const { commands, tenantId, agentId, told } = await scene();
    const first = await commands.create(actor, null, { agentId, order: run });
    const taken = await commands.create(actor, null, { agentId, order: sync });
    await commands.progress(agentId, taken.id, told);
    const second = await commands.create(actor, null, { agentId, order: run });
    await commands.create(actor, null, { agentId, order: sync });
    expect(await commands.get(null, first.id)).toMatchObject({
      state: "canceled",
      text: expect.stringContaining(second.id),
    });
    expect(await commands.get(null, taken.id)).toMatchObject({ state: "accepted" });
    expect(await commands.list(tenantId, all, { state: "queued" })).toHaveLength(2);
  });

  it("are canceled at once while queued, and stopped by a signed command once taken", async () => {
    const { commands, agentId, told } = await scene();
    const queued = await commands.create(actor, null, { agentId, order: run });
    expect(await commands.cancel(actor, null, queued.id)).toMatchObject({ state: "canceled" });
    expect(await codeOf(commands.cancel(actor, null, queued.id))).toBe("RESOURCE_STATE");
    const taken = await commands.create(actor, null, { agentId, order: sync });
    await commands.progress(agentId, taken.id, { ...told, state: "running" });
    expect(await commands.cancel(actor, null, taken.id)).toMatchObject({ state: "running" });
    const open = (await commands.openFor(agentId)).commands.map((jws) =>
      verifyDocument(jws, expected),
    );
    expect(open.map(({ order }) => order)).toEqual([sync, { kind: "stop", command: taken.id }]);
  });

  it("that were canceled while the machine fetched them are told as what they are, and stopped", async () => {
    const { commands, agentId, told } = await scene();
    const { id } = await commands.create(actor, null, { agentId, order: run });
    await commands.cancel(actor, null, id);
    await commands.progress(agentId, id, { ...told, state: "running" });
    expect(await commands.get(null, id)).toMatchObject({ state: "running" });
    const open = await commands.list(null, all, { agentId, state: "queued" });
    expect(open.map(({ order }) => order)).toEqual([{ kind: "stop", command: id }]);
  });

  it("never stay as they are for ever, and what the machine says later still counts", async () => {
    const { commands, agentId, told } = await scene();
    const make = async (order: CommandOrder) =>
      (await commands.create(actor, null, { agentId, order, lifetimeMs: hourMs })).id;
    const queued = await make(run);
    const accepted = await make(sync);
    const running = await make({ kind: "clear-cache" });
    await commands.progress(agentId, accepted, told);
    await commands.progress(agentId, running, { ...told, state: "running", sessionId: "s" });
    const states = async () => {
      await sweepCommands(ground());
      return await Promise.all(
        [queued, accepted, running].map(async (id) => (await commands.get(null, id)).state),
      );
    };
    expect(await states()).toEqual(["queued", "accepted", "running"]);
    ground().advance(hourMs + 1);
    expect((await commands.openFor(agentId)).commands).toHaveLength(2);
    expect(await states()).toEqual(["expired", "accepted", "running"]);
    ground().advance(dayMs);
    expect(await states()).toEqual(["expired", "expired", "running"]);
    ground().advance(6 * dayMs);
    expect(await states()).toEqual(["expired", "expired", "failed"]);
    expect(await commands.get(null, running)).toMatchObject({ sessionId: "s" });
    await commands.progress(agentId, running, { ...told, state: "succeeded" });
    await commands.progress(agentId, queued, { ...told, state: "expired" });
    expect(await states()).toEqual(["expired", "expired", "succeeded"]);
    ground().advance(91 * dayMs);
    await sweepCommands(ground());
    expect(await commands.list(null, all)).toEqual([]);
  });

  it("are not made for machines that the asker can't see, were revoked, or have too many", async () => {
    const { commands, agentId } = await scene();
    const otherTenant = await addTenant(ground());
    const ask = async (scope: string | null) =>
      await codeOf(commands.create(actor, scope, { agentId, order: { kind: "stop" } }));
    expect(await ask(otherTenant)).toBe("RESOURCE_UNKNOWN");
    for (let i = 0; i < 100; i++)
      await commands.create(actor, null, { agentId, order: { ...run, policy: `p${i}` } });
    expect(await ask(null)).toBe("RESOURCE_STATE");
    await ground().database.deleteFrom("commands").execute();
    await ground().database.updateTable("agents").set({ status: "revoked" }).execute();
    expect(await ask(null)).toBe("RESOURCE_STATE");
  });

  it("bring back files: whole or not at all, bounded, gone after two weeks", async () => {
    const { commands, tenantId, agentId, told } = await scene();
    const uploads = new CommandUploads(ground());
    const { id } = await commands.create(actor, null, { agentId, order: { kind: "collect-logs" } });
    const content = Buffer.alloc(300_000, "log ");
    const take = async (body = Readable.from([content, content])) =>
      await codeOf(uploads.take(agentId, id, body));
    const broken = Readable.from(
      (async function* pieces() {
        yield content;
        throw agentRefusal("signature-invalid");
      })(),
    );
    const hash = bodyHash(Buffer.concat([content, content]));
    const folder = path.join(ground().settings.dataFolder, "uploads");
    expect(await take(broken)).toBe("signature-invalid");
    const tooMuch = Array.from({ length: 65 }, () => Buffer.alloc(1024 * 1024));
    expect(await take(Readable.from(tooMuch))).toBe("body-invalid");
    expect(readdirSync(folder)).toEqual([]);
    expect(await take()).toBe("done");
    expect(await take()).toBe("done");
    const { upload } = await commands.get(tenantId, id);
    expect(upload?.sizeBytes).toBe(600_000);
    expect(Buffer.from(upload?.hash ?? "", "hex").toString("base64url")).toBe(hash);
    const opened = await uploads.open(tenantId, id);
    expect(bodyHash(await buffer(opened.content))).toBe(hash);
    expect(await codeOf(uploads.open(await addTenant(ground()), id))).toBe("RESOURCE_UNKNOWN");
    await commands.progress(agentId, id, { ...told, state: "succeeded" });
    expect(await take()).toBe("not-found");
    expect(await codeOf(uploads.take("another", id, Readable.from([])))).toBe("not-found");
    await uploads.sweep();
    expect(readdirSync(folder)).toHaveLength(1);
    for (const name of readdirSync(folder)) await utimes(path.join(folder, name), 1, 1);
    await uploads.sweep();
    expect(readdirSync(folder)).toHaveLength(1);
    ground().advance(15 * dayMs);
    await uploads.sweep();
    expect(readdirSync(folder)).toEqual([]);
    expect(await codeOf(uploads.open(null, id))).toBe("RESOURCE_UNKNOWN");
  });
});
