/** Secrets are planted in a server of their own kind each, and looked for in everything that others may read. */
import { readdirSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  type PlantedSecrets,
  tracesInFolder,
  tracesInText,
} from "../../test/fleet/secret-traces.ts";
import { eachDatabase } from "../../test/server/each-database.ts";
import { EnrolledMachine } from "../../test/server/enrolled-machine.ts";
import { policyDocument } from "../../test/server/managed-things.ts";
import { type ManagementScene, openManagementScene } from "../../test/server/management-scene.ts";
import { machineRepository } from "../bundles/machine-repositories.ts";

eachDatabase("planted secrets", (fresh) => {
  let scene: ManagementScene;
  let address = "";
  let machine: EnrolledMachine;
  let secrets: PlantedSecrets;
  /** Everything that was answered to people who did not ask for a secret. */
  const answers: string[] = [];

  const asAdmin = async (
    method: "GET" | "POST" | "PUT" | "DELETE",
    url: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ) => {
    const token = scene.token("*", "admin");
    const answer = await scene.ask(method, url, { token, body, headers });
    answers.push(
      `${method} ${url} ${answer.status} ${JSON.stringify(answer.headers)} ${answer.text}`,
    );
    return answer;
  };

  beforeAll(async () => {
    address = await fresh();
    scene = await openManagementScene(address);
    const { tenantIds, ground } = scene;
    const tenantId = tenantIds.a;
    machine = await EnrolledMachine.enrol(scene, "a", "pc1");
    const password = "Pl4nted-repository-password!";
    const storage = "Pl4nted/storage+key==for-s3";
    for (const [name, value] of Object.entries({ password, storage }))
      await asAdmin(
        "POST",
        "/api/v1/secrets",
        { tenantId, name, value },
        { "idempotency-key": name },
      );
    // As people mistype them: refused, and still told to nobody.
    await asAdmin("POST", "/api/v1/secrets", { tenantId, name: "no name", value: password });
    await asAdmin("POST", "/api/v1/secrets", {
      tenantId,
      name: "x",
      value: storage,
      more: storage,
    });
    await asAdmin("POST", "/api/v1/secrets", {
      tenantId,
      name: "x",
      value: storage,
      encoding: "base64",
    });
    await asAdmin("POST", "/api/v1/secrets", `{"value":"${password}"`);
    const routes = [
      { kind: "gateway" },
      { kind: "direct", url: "s3:s3.example/b/{agent}", secret: "storage" },
    ];
    const made = await asAdmin("POST", "/api/v1/repositories", { tenantId, name: "kept", routes });
    const { id: repositoryId } = made.body as unknown as { id: string };
    for (const secret of ["automatic", "password"]) {
      const document = { ...policyDocument(secret), encryption: { password: { secret } } };
      await asAdmin("POST", "/api/v1/policies", { tenantId, document, agentIds: [machine.id] });
    }
    const bundle = await machine.ask("GET", "/agent/v1/bundle");
    expect(bundle.status).toBe(200);
    answers.push(bundle.text, JSON.stringify(bundle.headers));
    const account = { tenantId, agentId: machine.id, repositoryId };
    const own = await machineRepository(ground.database, ground, account);
    const given = { tenantId, name: "api", role: "operator" };
    const token = scene.token("*", "admin");
    const headers = { "idempotency-key": "api" };
    const api = await scene.ask("POST", "/api/v1/api-tokens", { token, body: given, headers });
    const apiToken = (api.body as unknown as { token: string }).token;
    await scene.ask("GET", "/api/v1/tenants", { token: apiToken });
    await scene.ask("GET", "/api/v1/tenants", { token: `${apiToken}x` });
    const key = scene.rooms.signingKeys;
    const destination = (await key.list()).find(({ role }) => role === "destination");
    secrets = {
      "repository password": password,
      "storage key": storage,
      "gateway account": own.gatewayPassword.toString(),
      "automatic password": own.password.toString(),
      "API token": apiToken.slice(-30),
      "enrolment token": machine.token,
      "seed of the enrolment token": (
        JSON.parse(Buffer.from(machine.token.slice(4), "base64url").toString()) as { s: string }
      ).s,
      "destination key": await key.exportDestinationKey("test", destination?.id ?? ""),
    };
  });
  afterAll(async () => {
    await scene.close();
  });

  it("are known to this test, and found where they stand openly", () => {
    for (const [name, secret] of Object.entries(secrets)) {
      expect(secret.length, name).toBeGreaterThan(20);
      expect(tracesInText(secrets, "x", `say ${secret}.`).join()).toContain(name);
    }
  });

  it("stand in no answer: of lists, of things, of refusals", async () => {
    const urls = scene.routes
      .filter(({ method, url }) => method === "GET" && /^\/(?:api\/|metrics|openapi)/.test(url))
      .map(({ url }) => url);
    for (const url of urls.filter((each) => !each.includes(":id"))) {
      const { body } = await asAdmin("GET", url);
      const { items = [] } = body as { items?: readonly { id?: string }[] };
      for (const { id = "" } of items)
        for (const deeper of urls.filter((each) => each.startsWith(`${url}/:id`)))
          await asAdmin("GET", deeper.replace(":id", encodeURIComponent(id)));
    }
    expect(answers.length).toBeGreaterThan(40);
    expect(answers.flatMap((text) => tracesInText(secrets, text.slice(0, 80), text))).toEqual([]);
  });

  it("stand in no line of the log", () => {
    expect(tracesInText(secrets, "log", scene.ground.logged.join("\n"))).toEqual([]);
  });

  it("stand in nothing of the database, not even as what was sealed for a repetition", async () => {
    const { database, settings } = scene.ground;
    const tables = await database.introspection.getTables();
    expect(tables.length).toBeGreaterThan(15);
    for (const { name } of tables) {
      const rows = await database
        .selectFrom(name as "tenants")
        .selectAll()
        .execute();
      expect(tracesInText(secrets, name, JSON.stringify(rows))).toEqual([]);
    }
    const kept = await database.selectFrom("idempotency_keys").select("key").execute();
    expect(kept.map(({ key }) => key)).toContain("api");
    if (!address.includes("://")) {
      const folder = address.slice(0, address.lastIndexOf("/"));
      expect(readdirSync(folder).length).toBeGreaterThan(0);
      expect(tracesInFolder(secrets, folder)).toEqual([]);
    }
    expect(tracesInFolder(secrets, settings.dataFolder)).toEqual([]);
  });
});
