import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../protocol/error-catalog.ts";
import { CommandScene } from "../../test/server/command-scene.ts";
import { makeThings, policyDocument, type Things } from "../../test/server/managed-things.ts";
import { nounTable } from "./noun-table.ts";
import type { Verb } from "./verb.ts";

let commands: CommandScene;
let a: Things;

beforeAll(async () => {
  commands = await CommandScene.start();
  a = await makeThings(commands.scene, "a");
  await makeThings(commands.scene, "b");
});
afterAll(async () => {
  await commands.stop();
});

const failing = (code: ErrorCode) => expect.toSatisfy((error) => isBackstayError(error, code));
const run = async (line: string, input?: string) =>
  await commands.run(line.split(" "), input === undefined ? {} : { input });
const jsonOf = async (line: string) => (await run(line)).json as Record<string, unknown>;

it("lists and shows every kind of thing there is", async () => {
  let shown = 0;
  for (const { name, load } of nounTable) {
    const noun = await load();
    if (!Array.isArray(noun)) continue;
    const verbs = noun as readonly Verb[];
    if (!verbs.some((verb) => verb.name === "list")) continue;
    const state = ["request", "conflict"].includes(name) ? " --state all" : "";
    const listed = await run(
      `${name} list${state}${["session", "event"].includes(name) ? " --since 2020-01-01" : ""}`,
    );
    const items = listed.json as readonly { id: string }[];
    expect(items.length, name).toBeGreaterThan(0);
    expect(listed.text.split("\n").length, name).toBe(items.length + 1);
    if (!verbs.some((verb) => verb.name === "show")) continue;
    const one = await run(`${name} show ${items[0].id}`);
    expect(JSON.stringify(one.json), name).toContain(items[0].id);
    expect(one.text.length, name).toBeGreaterThan(20);
    shown += 1;
  }
  expect(shown).toBeGreaterThan(9);
  expect((await run("status")).text).toContain("Machines:");
  expect((await run("licence show")).json).toMatchObject({ id: "community" });
  expect((await run("audit verify")).exitCode).toBe(0);
});

it("makes, changes and removes: tenants, groups, repositories", async () => {
  const made = await jsonOf("tenant create new --agents-max 5 --lease 2027-01-01");
  expect(made).toMatchObject({ quotas: { agentsMax: 5 }, leaseUntilMs: Date.UTC(2027, 0, 1) });
  const changed = await jsonOf("tenant set new --stored-max 1.5GiB --agents-max none --lease none");
  expect(changed).toMatchObject({ quotas: { storedBytesMax: 1.5 * 2 ** 30 }, leaseUntilMs: null });
  expect(changed["quotas"]).not.toHaveProperty("agentsMax");
  await run("group create g --tenant new --label site=berlin");
  expect(await jsonOf("group set g --tenant new --label site=paris --name h")).toMatchObject({
    name: "h",
    selector: { kind: "labels", labels: { site: "paris" } },
  });
  await run(
    "repository create r --tenant new --gateway --direct s3:x/{agent} --stored-max 5B --no-test",
  );
  expect(
    await jsonOf("repository set r --tenant new --gateway-url https://g.example"),
  ).toMatchObject({
    routes: [{ kind: "gateway", url: "https://g.example" }],
    quotas: { storedBytesMax: 5 },
  });
  await expect(run("tenant remove new")).rejects.toEqual(failing("SERVER_REFUSED"));
  for (const thing of ["repository remove r", "group remove h"]) await run(`${thing} --tenant new`);
  expect((await run("tenant remove new")).text).toBe("tenant new: removed");
  await expect(run("tenant show new")).rejects.toEqual(failing("RESOURCE_UNKNOWN"));
});

it("puts machines into a group and takes them out, labels, suspends and forgets them", async () => {
  const other = await makeThings(commands.scene, "a");
  await run(`group add ${a.group} ${a.agent} ${other.agent}`);
  await run(`group take ${a.group} ${other.agent}`);
  expect((await run(`group members ${a.group}`)).json).toMatchObject([{ id: a.agent }]);
  await run(`agent label ${a.agent} --set site=berlin --set old=x`);
  expect(await jsonOf(`agent label ${a.agent} --unset old`)).toMatchObject({
    labels: { site: "berlin" },
  });
  expect((await run("agent list --label site=berlin")).json).toHaveLength(1);
  expect((await run("group preview --tenant tenant-a --label site=*")).json).toMatchObject({
    count: 1,
  });
  expect((await run(`policy preview --tenant tenant-a --group ${a.group}`)).text).toMatch(
    /^1 machines/,
  );
  for (const [verb, status] of [
    ["suspend", "suspended"],
    ["resume", "active"],
    ["revoke", "revoked"],
  ])
    expect(await jsonOf(`agent ${verb} ${other.agent}`)).toMatchObject({ status });
  await run(`agent remove ${other.agent}`);
  await expect(run(`agent show ${other.agent}`)).rejects.toEqual(failing("SERVER_REFUSED"));
});

it("takes secrets from files and standard input, and shows none", async () => {
  const file = commands.file("secret", "from a file\n");
  expect(await jsonOf(`secret set one --tenant tenant-a --file ${file}`)).toMatchObject({
    version: 1,
  });
  const again = await run("secret set one --tenant tenant-a", "from a file");
  expect(again.json).toMatchObject({ version: 1 });
  const changed = await run("secret set one --tenant tenant-a", "another");
  expect(changed.json).toMatchObject({ version: 2 });
  expect(JSON.stringify([changed, (await run("secret list")).json])).not.toContain("another");
  await expect(run("secret set one --tenant tenant-a", "\n")).rejects.toEqual(failing("USAGE"));
  await run("secret remove one --tenant tenant-a");
});

it("makes tokens that work, and ends them", async () => {
  const { json, text, notes } = await run("api-token create watch --tenant tenant-a --expires 30d");
  expect(text).toBe((json as { token: string }).token);
  expect(notes.join()).not.toContain(text);
  const { id } = json as { id: string };
  const asked = await commands.scene.ask("GET", "/api/v1/policies", { token: text });
  expect(asked.status).toBe(200);
  await run(`api-token revoke ${id}`);
  expect((await commands.scene.ask("GET", "/api/v1/policies", { token: text })).status).toBe(401);
  const joined = await run(
    "token create office --tenant tenant-a --uses 5 --label site=x --approval",
  );
  expect(joined.text).toMatch(/^bk1_/);
  expect(await jsonOf("token revoke office --tenant tenant-a")).toMatchObject({});
});

it("asks machines, and tells how many", async () => {
  await run(`group add ${a.group} ${a.agent}`);
  expect((await run(`command run p --group ${a.group} --dry-run`)).json).toMatchObject({
    count: 1,
  });
  const { json } = await run(
    `command restore p --agent ${a.agent} --target /srv/x --path /a --within 2h`,
  );
  const [command] = (json as { commands: { id: string; order: unknown }[] }).commands;
  expect(command.order).toMatchObject({ kind: "restore", snapshot: "latest", paths: ["/a"] });
  expect(await jsonOf(`command cancel ${command.id}`)).toMatchObject({ state: "canceled" });
  for (const order of ["stop", "check p --read 5%", "sync", "collect-logs", "clear-cache"])
    expect((await run(`command ${order} --agent ${a.agent}`)).exitCode).toBe(0);
  await expect(run("command sync")).rejects.toEqual(failing("USAGE"));
  const file = `${commands.folder}/logs.tar.gz`;
  await expect(run(`command download ${command.id} --file ${file}`)).rejects.toEqual(
    failing("SERVER_REFUSED"),
  );
});

it("leads rollouts, lets machines in, and releases recovery passwords", async () => {
  expect((await run(`rollout show ${a.rollout}`)).text).toMatch(/State: +running, wave 1 of 3/);
  expect((await run(`rollout pause ${a.rollout}`)).text).toContain("paused");
  expect((await run(`rollout finish ${a.rollout}`)).text).toContain("nothing is on its way");
  expect(await jsonOf(`request deny ${a.enrolmentRequest}`)).toMatchObject({ state: "denied" });
  expect(await jsonOf(`conflict dismiss ${a.identityConflict}`)).toMatchObject({
    state: "dismissed",
  });
  expect((await run(`escrow release ${a.escrow}`)).text).toBe("a.b.c.d.e");
  const released = await run("audit list --action escrow.");
  expect(released.json).toMatchObject([{ target: a.escrow }]);
  expect((await run(`policy show ${a.policy}`)).text).toContain("repository: backstay:kept");
  await run(`policy remove ${a.policy} --reduction`);
});

it("lets a destination be signed away from the server", async () => {
  const keys = (await run("key list")).json as { id: string; role: string }[];
  const { id } = keys.findLast(({ role }) => role === "destination") ?? { id: "" };
  const file = `${commands.folder}/destination.key`;
  await run(`key take-offline ${id} --file ${file}`);
  expect(readFileSync(file, "utf8")).toMatch(/^[\w-]{43}\n$/);
  const set = "repository set kept --tenant tenant-a --gateway --direct s3:x/{agent}";
  expect(await jsonOf(set)).toMatchObject({
    isUsable: true,
    unsigned: { routes: [{ kind: "gateway" }, { kind: "direct" }] },
  });
  const unsigned = commands.file(
    "unsigned.json",
    (await run("repository unsigned kept --tenant tenant-a")).text,
  );
  const { text } = await run(`key sign ${unsigned} --key ${file} --key-id ${id}`);
  const signed = commands.file("signed.jws", text);
  const taken = await jsonOf(`repository sign kept --tenant tenant-a --file ${signed}`);
  expect(taken).toMatchObject({ unsigned: null, isUsable: true });
});

it("names things by name where one has it, and says so where several have", async () => {
  const document = JSON.stringify(policyDocument("same"));
  for (const tenant of ["tenant-a", "tenant-b"])
    await run("apply -f -", `kind: policy\ntenant: ${tenant}\ndocument: ${document}\n`);
  await expect(run("policy show same")).rejects.toEqual(failing("USAGE"));
  expect(await jsonOf("policy show same --tenant tenant-b")).toMatchObject({ name: "same" });
  await expect(run("policy show same --tenant nobody")).rejects.toEqual(
    failing("RESOURCE_UNKNOWN"),
  );
});

it("is refused what its token may not", async () => {
  const asReader = { role: "read-only", tenant: "a" } as const;
  const refusedBy = commands.run(["group", "create", "x"], asReader);
  await expect(refusedBy).rejects.toEqual(failing("SERVER_REFUSED"));
  const own = await commands.run(["tenant", "list"], asReader);
  expect(own.json).toMatchObject([{ name: "tenant-a" }]);
});
