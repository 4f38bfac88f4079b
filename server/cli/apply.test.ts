import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { CommandScene } from "../../test/server/command-scene.ts";
import { addHeardMachine } from "../../test/server/fleet-rows.ts";
import { planOf } from "./apply-plan.ts";
import { doStep } from "./apply-steps.ts";
import { FleetReader } from "./fleet-reader.ts";
import { ManagementClient } from "./management-client.ts";
import { readDeclarations } from "./read-declarations.ts";

const fleet = `# Everything there is.
kind: policy
tenant: acme
groups: [laptops, by-hand]
agents: [pc1]
document:
  version: 1
  name: documents
  source: { mode: files, paths: [/srv/docs] }
  destination: { repository: "backstay:main" }
  encryption: { password: { secret: automatic } }
---
kind: tenant
name: acme
quotas: { agentsMax: 50 }
---
kind: repository
tenant: acme
name: main
routes:
  - kind: gateway
  - { kind: direct, url: "s3:s3.example/backups/{tenant}/{agent}" }
quotas: { storedBytesMax: 1000000 }
---
kind: repository
tenant: acme
name: pool
members: [disk-a, main]
---
kind: repository
tenant: acme
name: disk-a
routes: [{ kind: gateway }]
modes: [sealed, maintenance]
---
kind: group
tenant: acme
name: laptops
selector: { kind: labels, labels: { form: laptop } }
---
kind: group
tenant: acme
name: listed
selector: { kind: names, csv: listed.csv }
---
kind: group
tenant: acme
name: by-hand
selector: { kind: static }
agents: [pc2, pc1]
---
kind: agent
tenant: acme
name: pc2
labels: { form: laptop }
---
kind: enrolment-token
tenant: acme
name: office
expiresMs: 2000000000000
usesMax: 20
group: by-hand
needsApproval: true
networks: [10.0.0.0/8]
`;

const plain = (tenant: string, name: string, path: string): string => `kind: policy
tenant: ${tenant}
document:
  version: 1
  name: ${name}
  source: { mode: files, paths: [${path}] }
  destination: { repository: "backstay:main" }
  encryption: { password: { secret: automatic } }
`;

interface Told {
  readonly results: readonly { kind: string; name: string; action: string; token?: string }[];
}

let commands: CommandScene;
let file = "";

const apply = async (text: string, ...options: string[]) =>
  await commands.run(["apply", "-f", "-", ...options], { input: text });
const actionsOf = (json: unknown): string[] =>
  (json as Told).results.map(({ kind, name, action }) => `${kind} ${name} ${action}`);
const refused = (problem: RegExp) =>
  expect.toSatisfy(
    (error) => isBackstayError(error, "DECLARATION_INVALID") && problem.test(error.message),
  );

beforeAll(async () => {
  commands = await CommandScene.start();
  commands.file("listed.csv", "name;site\npc1;berlin\nother;paris\n");
  file = commands.file("fleet.yaml", fleet);
  const { json } = await commands.run(["tenant", "create", "acme", "--json"]);
  for (const name of ["pc1", "pc2"])
    await addHeardMachine(commands.scene.ground, (json as { id: string }).id, { name });
});
afterAll(async () => {
  await commands.stop();
});

describe("apply and export", () => {
  it("tells what it would change, and changes nothing with --dry-run", async () => {
    const before = (await commands.run(["export"])).text;
    const { text, json } = await commands.run(["apply", "-f", file, "--dry-run"]);
    expect(actionsOf(json)).toEqual([
      "tenant acme change",
      "repository main create",
      "repository disk-a create",
      "repository pool create",
      "agent pc2 change",
      "group laptops create",
      "group listed create",
      "group by-hand create",
      "policy documents create",
      "enrolment-token office create",
    ]);
    expect(text).toContain("tenant acme: would be changed\n  quotas.agentsMax: (none) -> 50\n");
    expect(text).toContain('agent pc2: would be changed\n  labels.form: (none) -> "laptop"');
    expect((await commands.run(["export"])).text).toBe(before);
  });

  it("makes everything in the order in which it is needed, and nothing the second time", async () => {
    const first = (await commands.run(["apply", "-f", file])).json as Told;
    expect(first.results.at(-1)?.token).toMatch(/^bk1_/);
    const second = await commands.run(["apply", "-f", file]);
    expect(actionsOf(second.json).filter((action) => !action.endsWith(" keep"))).toEqual([]);
    const members = await commands.run(["group", "members", "by-hand", "--tenant", "acme"]);
    expect((members.json as { name: string }[]).map(({ name }) => name).toSorted()).toEqual([
      "pc1",
      "pc2",
    ]);
    const listed = await commands.run(["group", "members", "listed", "--tenant", "acme"]);
    expect((listed.json as { name: string }[]).map(({ name }) => name)).toEqual(["pc1"]);
  });

  it("exports what it applied: applying that changes nothing", async () => {
    const { text, json } = await commands.run(["export"]);
    expect(text).toContain("name: documents");
    expect(text).not.toMatch(/bk1_|password: ["']?[^{\s]/);
    const kinds = (json as { kind: string }[]).map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(
      new Set(["tenant", "repository", "agent", "group", "policy", "enrolment-token"]),
    );
    const auditBefore = (await commands.run(["audit", "list"])).json as unknown[];
    const again = await apply(text);
    expect(actionsOf(again.json).filter((action) => !action.endsWith(" keep"))).toEqual([]);
    expect((await commands.run(["audit", "list"])).json).toHaveLength(auditBefore.length);
    const one = await commands.run(["export", "--tenant", "acme", "--kind", "group"]);
    expect((one.json as { name: string }[]).map(({ name }) => name)).toEqual([
      "laptops",
      "listed",
      "by-hand",
    ]);
  });

  it("changes what is written otherwise, and only that", async () => {
    const other = fleet
      .replace("storedBytesMax: 1000000", "storedBytesMax: 2000000")
      .replace("agents: [pc2, pc1]", "agents: [pc2]")
      .replace("paths: [/srv/docs]", "paths: [/srv/docs, /srv/more]");
    const changed = await commands.run(["apply", "-f", commands.file("other.yaml", other)]);
    expect(actionsOf(changed.json).filter((action) => !action.endsWith(" keep"))).toEqual([
      "repository main change",
      "group by-hand change",
      "policy documents change",
    ]);
    expect(changed.text).toContain("  quotas.storedBytesMax: 1000000 -> 2000000");
    expect(changed.text).toContain('  document.source.paths[1]: (none) -> "/srv/more"');
    const policies = await commands.run(["policy", "list", "--tenant", "acme"]);
    expect(policies.json).toMatchObject([{ name: "documents", policyVersion: 2 }]);
  });

  it("is for the administrators of a tenant too", async () => {
    const exported = await commands.run(["export"], { tenant: "a" });
    expect(exported.json).toMatchObject([{ kind: "tenant", name: "tenant-a" }]);
    const repository = "kind: repository\nname: mine\nroutes: [{ kind: gateway }]\n";
    const options = { input: repository, tenant: "a" } as const;
    const made = await commands.run(["apply", "-f", "-"], options);
    expect(actionsOf(made.json)).toEqual(["repository mine create"]);
    const foreign = { input: repository.replace("name:", "tenant: acme\nname:"), tenant: "a" };
    await expect(commands.run(["apply", "-f", "-"], foreign as typeof options)).rejects.toEqual(
      refused(/line 1: tenant names none: acme/),
    );
  });
});

describe("what apply refuses", () => {
  it.each([
    ["no document", "# nothing\n", /there is no document in it/],
    ["broken YAML", "kind: tenant\nname: [a\n", /standard input, line [23]: /],
    ["an unknown kind", "kind: fleet\n", /line 1: kind must be one of tenant, licence/],
    [
      "an unknown field",
      "kind: tenant\nname: a\nquota: {}\n",
      /line 3: quota is not a known field/,
    ],
    ["no name", "kind: tenant\n", /line 1: name is missing/],
    [
      "a policy that is none, by the line in it",
      `---\n${plain("acme", "x", "/srv").replace("mode: files", "mode: disk")}`,
      /line 7: document\.source/,
    ],
    [
      "the same twice",
      "kind: tenant\nname: a\n---\nkind: tenant\nname: a\n",
      /line 4: is about the same thing as standard input, line 1/,
    ],
    [
      "no tenant where there are several",
      "kind: group\nname: g\nselector: { kind: static }\n",
      /line 1: tenant is missing/,
    ],
    [
      "an unknown machine",
      "kind: group\ntenant: acme\nname: g\nselector: { kind: static }\nagents: [pc9]\n",
      /line 1: there is no agent pc9/,
    ],
    [
      "machines for a group that selects them",
      "kind: group\ntenant: acme\nname: laptops\nselector: { kind: names, names: [x] }\nagents: [pc1]\n",
      /only for a group with selector static/,
    ],
    [
      "an unknown group",
      `${plain("acme", "x", "/srv")}groups: [nobody]\n`,
      /there is no group nobody/,
    ],
    [
      "an unread CSV file",
      "kind: group\ntenant: acme\nname: g\nselector: { kind: names, csv: nowhere.csv }\n",
      /selector\.csv can't be read: ENOENT/,
    ],
    [
      "another token of the name",
      "kind: enrolment-token\ntenant: acme\nname: office\nexpiresMs: 2000000000000\n",
      /tokens do not change/,
    ],
  ])("%s, before anything is changed", async (_, text, problem) => {
    const before = (await commands.run(["export"])).text;
    const good = "kind: tenant\nname: never-made\n---\n";
    const whole = text.startsWith("#") || text.startsWith("kind: tenant") ? text : text;
    await expect(apply(whole)).rejects.toEqual(refused(problem));
    if (!text.startsWith("#")) await expect(apply(`${good}${text}`)).rejects.toThrow();
    expect((await commands.run(["export"])).text).toBe(before);
  });

  it("says which document the server refuses, and what was done before stays done", async () => {
    const missing = plain("acme", "lost", "/srv").replace("backstay:main", "backstay:nowhere");
    const text = `kind: tenant\nname: before\n---\n${missing}`;
    await expect(apply(text)).rejects.toSatisfy(
      (error) =>
        isBackstayError(error, "SERVER_REFUSED") &&
        error.context["document"] === "standard input, line 4" &&
        String(error.context["reason"]).includes("destination.repository"),
    );
    expect((await commands.run(["tenant", "show", "before"])).exitCode).toBe(0);
  });

  it("overwrites nothing that somebody else has changed meanwhile", async () => {
    const text = `kind: repository\ntenant: acme\nname: main\nroutes: [{ kind: gateway }]\n`;
    const declared = await readDeclarations([{ name: "x", content: Buffer.from(text) }]);
    const access = { url: commands.url, token: commands.scene.token("*", "admin") };
    const client = new ManagementClient(access, new AbortController().signal);
    const reader = new FleetReader(client);
    const [step] = await planOf(reader, declared);
    await commands.run(["repository", "set", "main", "--tenant", "acme", "--stored-max", "9"]);
    const choices = { isAtOnce: false, isReduction: false };
    await expect(doStep(client, reader, step, choices)).rejects.toSatisfy(
      (error) => isBackstayError(error, "SERVER_REFUSED") && error.context["status"] === 412,
    );
    await client.close();
  });
});
