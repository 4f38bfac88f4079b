/** Removing a thing never removes backups. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { eachDatabase } from "../../test/server/each-database.ts";
import { EnrolledMachine } from "../../test/server/enrolled-machine.ts";
import { policyDocument } from "../../test/server/managed-things.ts";
import { openManagementScene } from "../../test/server/management-scene.ts";
import { machineRepository } from "../bundles/machine-repositories.ts";

eachDatabase("removing everything", (fresh) => {
  it("leaves what machines have stored, and what opens it", async () => {
    const scene = await openManagementScene(await fresh());
    const { ground, tenantIds } = scene;
    const tenantId = tenantIds.a;
    const token = scene.token("*", "admin");
    const make = async (kind: string, body: object): Promise<string> => {
      const answer = await scene.ask("POST", `/api/v1/${kind}`, { token, body });
      expect(answer.status, answer.text).toBe(201);
      return (answer.body as unknown as { id: string }).id;
    };
    const remove = async (kind: string, id: string, status = 204): Promise<void> => {
      const { headers } = await scene.ask("GET", `/api/v1/${kind}/${id}`, { token });
      const given = { token, headers: { "if-match": String(headers["etag"]) } };
      const answer = await scene.ask("DELETE", `/api/v1/${kind}/${id}`, given);
      expect(answer.status, answer.text).toBe(status);
    };

    const machine = await EnrolledMachine.enrol(scene, "a", "pc1");
    const repository = { tenantId, name: "kept", routes: [{ kind: "gateway" }] };
    const repositoryId = await make("repositories", repository);
    const selector = { kind: "static" };
    const group = { tenantId, name: "all", selector, agentIds: [machine.id] };
    const groupId = await make("groups", group);
    const policy = { tenantId, document: policyDocument("documents"), groupIds: [groupId] };
    const policyId = await make("policies", policy);
    expect((await machine.ask("GET", "/agent/v1/bundle")).status).toBe(200);
    const place = { tenantId, agentId: machine.id, repositoryId };
    const account = await machineRepository(ground.database, ground, place);
    const basic = Buffer.from(`${machine.id}:${account.gatewayPassword.toString()}`);
    const headers = {
      authorization: `Basic ${basic.toString("base64")}`,
      "content-type": "application/octet-stream",
    };
    const gateway = `/gateway/${repositoryId}/${machine.id}/`;
    for (const [target, payload] of [
      ["?create=true", ""],
      ["config", "a repository"],
    ]) {
      const url = `${gateway}${target}`;
      const stored = await scene.app.inject({ method: "POST", url, headers, payload });
      expect(stored.statusCode, stored.body).toBe(200);
    }
    const files = (): Record<string, string> => {
      const folder = path.join(ground.settings.dataFolder, "repositories");
      const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
      return Object.fromEntries(
        entries
          .filter((entry) => entry.isFile())
          .map((entry) => path.join(entry.parentPath, entry.name))
          .map((file) => [file, readFileSync(file, "utf8")]),
      );
    };
    const before = files();
    expect(Object.values(before)).toContain("a repository");

    await remove("tenants", tenantId, 409);
    await remove("repositories", repositoryId, 409);
    await remove("groups", groupId, 409);
    await remove("policies", policyId);
    await remove("groups", groupId);
    await remove("agents", machine.id);
    await remove("repositories", repositoryId);
    await remove("tenants", tenantId);

    expect(files()).toEqual(before);
    const after = await machineRepository(ground.database, ground, place);
    expect(after.password).toEqual(account.password);
    await scene.close();
  });
});
