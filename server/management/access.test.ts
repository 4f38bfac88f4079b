/** Every route × role × tenant. The routes come from the server itself: one without an entry here fails. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eachDatabase } from "../../test/server/each-database.ts";
import {
  makeThing,
  makeThings,
  newName,
  policyDocument,
  type ThingKind,
  type Things,
} from "../../test/server/managed-things.ts";
import {
  type ManagementScene,
  type Method,
  openManagementScene,
} from "../../test/server/management-scene.ts";
import { testStartMs } from "../../test/server/test-ground.ts";
import type { Role } from "../http/route-access.ts";
import { roles } from "../http/route-access.ts";

interface Entry {
  /** The least role that may use it. */
  readonly role: Role;
  /** True if only tokens for every tenant may. */
  readonly wholeServer?: true;
  /** What `:id` stands for: one of each tenant's things. Another tenant's does not exist for who asks (404). */
  readonly id?: ThingKind;
  /** A body that is good. */
  readonly body?: (things: Things) => unknown;
  /** Answers 200 with `items`, none of which is of another tenant. */
  readonly isList?: true;
  /** What a token that is enough gets, if not 2xx: the thing is in a state in which it can't be done. */
  readonly refused?: number;
  /** The tenant stands in the address or body, and nothing of it in the answer. */
  readonly namesTenant?: true;
  /** Appended to the address. */
  readonly query?: (things: Things) => string;
}

const read = { role: "read-only" } as const;
const operate = { role: "operator" } as const;
const administer = { role: "admin" } as const;
const list = { ...read, isList: true } as const;

const entries: Readonly<Record<string, Entry>> = {
  "GET /api/v1/tenants": list,
  "POST /api/v1/tenants": { ...administer, wholeServer: true, body: ({ name }) => ({ name }) },
  "GET /api/v1/tenants/:id": { ...read, id: "tenant" },
  "PUT /api/v1/tenants/:id": {
    ...administer,
    wholeServer: true,
    id: "tenant",
    body: ({ name }) => ({ name }),
  },
  "DELETE /api/v1/tenants/:id": { ...administer, wholeServer: true, id: "tenant", refused: 409 },
  "GET /api/v1/groups": list,
  "POST /api/v1/groups": {
    ...administer,
    body: ({ tenant, name }) => ({ tenantId: tenant, name, selector: { kind: "static" } }),
  },
  "GET /api/v1/groups/:id": { ...read, id: "group" },
  "PUT /api/v1/groups/:id": {
    ...administer,
    id: "group",
    body: ({ name }) => ({ name, selector: { kind: "static" } }),
  },
  "DELETE /api/v1/groups/:id": { ...administer, id: "group" },
  "GET /api/v1/groups/:id/members": { ...list, id: "group" },
  "POST /api/v1/groups/:id/members": {
    ...operate,
    id: "group",
    body: ({ agent }) => ({ agentIds: [agent] }),
  },
  "POST /api/v1/groups/:id/members/remove": {
    ...operate,
    id: "group",
    body: ({ agent }) => ({ agentIds: [agent] }),
  },
  "POST /api/v1/groups/preview": {
    namesTenant: true,
    ...read,
    body: ({ tenant }) => ({ tenantId: tenant, selector: { kind: "names", names: ["x"] } }),
  },
  "GET /api/v1/agents": list,
  "GET /api/v1/agents/:id": { ...read, id: "agent" },
  "PUT /api/v1/agents/:id/labels": {
    ...operate,
    id: "agent",
    body: () => ({ labels: { site: "x" } }),
  },
  "DELETE /api/v1/agents/:id": { ...administer, id: "agent" },
  "POST /api/v1/agents/:id/suspend": { ...operate, id: "agent" },
  "POST /api/v1/agents/:id/resume": { ...operate, id: "agent" },
  "POST /api/v1/agents/:id/revoke": { ...administer, id: "agent" },
  "GET /api/v1/agents/:id/intent": { ...read, id: "agent" },
  "POST /api/v1/agents/:id/intent": { ...operate, id: "agent", body: () => ({ intent: "pause" }) },
  "POST /api/v1/agents/:id/renew-password": {
    ...administer,
    id: "agent",
    body: ({ repository }) => ({ repositoryId: repository }),
    // It has stored nothing there yet.
    refused: 404,
  },
  "GET /api/v1/agents/:id/conditions": { ...read, id: "agent" },
  "GET /api/v1/agents/:id/policies": { ...read, id: "agent" },
  "GET /api/v1/repositories": list,
  "POST /api/v1/repositories": {
    ...administer,
    body: ({ tenant, name }) => ({ tenantId: tenant, name, routes: [{ kind: "gateway" }] }),
  },
  "GET /api/v1/repositories/:id": { ...read, id: "repository" },
  "PUT /api/v1/repositories/:id": {
    ...administer,
    id: "repository",
    body: ({ name }) => ({ name, routes: [{ kind: "gateway" }], quotas: { storedBytesMax: 5 } }),
  },
  "POST /api/v1/repositories/test": {
    ...administer,
    body: ({ tenant }) => ({ tenantId: tenant, routes: [{ kind: "direct", url: "/mnt/x" }] }),
    namesTenant: true,
  },
  "GET /api/v1/repositories/:id/test": { ...read, id: "repository" },
  "POST /api/v1/repositories/:id/test": { ...operate, id: "repository" },
  "POST /api/v1/repositories/:id/signature": {
    ...administer,
    id: "repository",
    body: () => ({ jws: "a.b.c" }),
    refused: 409,
  },
  "POST /api/v1/repositories/:id/retire-routes": { ...administer, id: "repository" },
  "DELETE /api/v1/repositories/:id": { ...administer, id: "repository" },
  "GET /api/v1/secrets": list,
  "POST /api/v1/secrets": {
    ...administer,
    body: ({ tenant, name }) => ({ tenantId: tenant, name, value: "x" }),
  },
  "GET /api/v1/secrets/:id": { ...read, id: "secret" },
  "DELETE /api/v1/secrets/:id": { ...administer, id: "secret" },
  "GET /api/v1/signing-keys": read,
  "POST /api/v1/signing-keys": {
    ...administer,
    wholeServer: true,
    body: () => ({ role: "policy" }),
  },
  "POST /api/v1/signing-keys/:id/retire": {
    ...administer,
    wholeServer: true,
    id: "signingKey",
    refused: 409,
  },
  "POST /api/v1/signing-keys/:id/take-offline": {
    ...administer,
    wholeServer: true,
    id: "signingKey",
  },
  "GET /api/v1/policies": list,
  "POST /api/v1/policies": {
    ...administer,
    body: ({ tenant, name }) => ({ tenantId: tenant, document: policyDocument(name) }),
  },
  "POST /api/v1/policies/preview": {
    namesTenant: true,
    ...read,
    body: ({ tenant, group }) => ({ tenantId: tenant, groupIds: [group] }),
  },
  "GET /api/v1/policies/:id": { ...read, id: "policy" },
  "PUT /api/v1/policies/:id": {
    ...administer,
    id: "policy",
    body: ({ name, group }) => ({ document: policyDocument(name), groupIds: [group] }),
  },
  "DELETE /api/v1/policies/:id": { ...administer, id: "policy" },
  "GET /api/v1/commands": list,
  "POST /api/v1/commands": {
    ...operate,
    body: ({ agent }) => ({ agentId: agent, order: { kind: "sync" } }),
  },
  "GET /api/v1/commands/:id": { ...read, id: "command" },
  "POST /api/v1/commands/:id/cancel": { ...operate, id: "command" },
  "GET /api/v1/commands/:id/upload": { ...operate, id: "command", refused: 404 },
  "GET /api/v1/agents/:id/protection": { ...read, id: "agent" },
  "GET /api/v1/rollouts": list,
  "GET /api/v1/rollouts/:id": { ...read, id: "policy" },
  ...Object.fromEntries(
    ["pause", "resume", "advance", "finish", "abort"].map((order): [string, Entry] => [
      `POST /api/v1/rollouts/:id/${order}`,
      { ...operate, id: "rollout" },
    ]),
  ),
  "GET /api/v1/enrolment-tokens": list,
  "POST /api/v1/enrolment-tokens": {
    ...administer,
    body: ({ tenant, name }) => ({ tenantId: tenant, name, expiresMs: testStartMs + 1000 }),
  },
  "GET /api/v1/enrolment-tokens/:id": { ...read, id: "enrolmentToken" },
  "DELETE /api/v1/enrolment-tokens/:id": { ...administer, id: "enrolmentToken" },
  "GET /api/v1/enrolment-requests": list,
  "GET /api/v1/enrolment-requests/:id": { ...read, id: "enrolmentRequest" },
  "POST /api/v1/enrolment-requests/:id/approve": { ...operate, id: "enrolmentRequest" },
  "POST /api/v1/enrolment-requests/:id/deny": { ...operate, id: "enrolmentRequest" },
  "GET /api/v1/identity-conflicts": list,
  "GET /api/v1/identity-conflicts/:id": { ...read, id: "identityConflict" },
  "POST /api/v1/identity-conflicts/:id/dismiss": { ...operate, id: "identityConflict" },
  "GET /api/v1/sessions": list,
  "GET /api/v1/sessions/:id": { ...read, id: "session" },
  "GET /api/v1/events": list,
  "GET /api/v1/events/:id": { ...read, id: "event" },
  "GET /api/v1/overview": {
    ...read,
    query: ({ tenant }) => `?tenantId=${tenant}`,
    namesTenant: true,
  },
  "GET /api/v1/licence": { ...read, wholeServer: true },
  "POST /api/v1/licence": {
    ...administer,
    wholeServer: true,
    body: () => ({ jws: "a.b.c" }),
    refused: 422,
  },
  "GET /api/v1/escrow": { ...list, role: "admin" },
  "POST /api/v1/escrow/:id/release": { ...administer, id: "escrow" },
  "GET /api/v1/api-tokens": { ...list, role: "admin" },
  "POST /api/v1/api-tokens": {
    ...administer,
    body: ({ tenant, name }) => ({ tenantId: tenant, name, role: "read-only" }),
  },
  "GET /api/v1/api-tokens/:id": { ...administer, id: "apiToken" },
  "DELETE /api/v1/api-tokens/:id": { ...administer, id: "apiToken" },
  "GET /api/v1/audit": { ...list, role: "admin" },
  "GET /api/v1/audit/verification": { ...administer, wholeServer: true },
  "GET /metrics": { ...read, wholeServer: true },
};

const owners = ["a", "b", "*"] as const;

/** Of nobody. */
const gatewayFile = `${randomUUID()}/${randomUUID()}/config`;

/** As a machine would send it; whose it is does not matter, for machines have no place in this API. */
const agentSignature = `${Buffer.from('{"alg":"EdDSA","typ":"backstay-request+jwt"}').toString("base64url")}.e30.AA`;

function gatewayAccount(agentId: string): string {
  return `Basic ${Buffer.from(`${agentId}:password`).toString("base64")}`;
}

/** Routes for which no API token is asked, or good: of everybody, of machines by their signature, by their account. */
const others = {
  public: ["GET /agent/v1/time", "GET /healthz", "GET /openapi.json", "GET /readyz"],
  agent: [
    "GET /agent/v1/bundle",
    "GET /agent/v1/commands",
    "GET /agent/v1/storage-account",
    "GET /agent/v1/wake",
    "POST /agent/v1/enroll",
    "POST /agent/v1/escrow",
    "POST /agent/v1/identity/fork",
    "POST /agent/v1/reports",
    "PUT /agent/v1/commands/:id/state",
    "PUT /agent/v1/commands/:id/upload",
    "PUT /agent/v1/status",
  ],
  gateway: ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"].map(
    (method) => `${method} /gateway/*`,
  ),
} as const;

eachDatabase("the management API", (fresh) => {
  let scene: ManagementScene;
  /** What no case takes away: for who may not, for routes that read, and for all but the thing that a route changes. */
  let kept: Readonly<Record<"a" | "b", Things>>;
  beforeAll(async () => {
    scene = await openManagementScene(await fresh());
    kept = { a: await makeThings(scene, "a"), b: await makeThings(scene, "b") };
  });
  afterAll(async () => {
    await scene.close();
  });

  it("has an entry for each route, and each route says the same of itself", () => {
    const routesFor = (kind: string): string[] =>
      scene.routes
        .filter(({ access }) => access.kind === kind)
        .map(({ method, url }) => `${method} ${url}`)
        .toSorted();
    expect(routesFor("token")).toEqual(Object.keys(entries).toSorted());
    for (const [kind, routes] of Object.entries(others)) expect(routesFor(kind)).toEqual(routes);
    for (const { method, url, access } of scene.routes) {
      if (access.kind !== "token") continue;
      const { role, wholeServer } = entries[`${method} ${url}`];
      const scope = wholeServer === true ? "all" : "tenant";
      expect(access, url).toEqual({ kind: "token", role, scope });
    }
  });

  it.each(others.public)("answers everybody: %s", async (route) => {
    const [method, url] = route.split(" ") as [Method, string];
    expect((await scene.ask(method, url)).status).toBe(200);
  });

  it.each([...others.agent, ...others.gateway])("lets in no API token: %s", async (route) => {
    const [method, url] = route.split(" ") as [Method, string];
    for (const owner of owners)
      for (const role of roles) {
        const answer = await scene.ask(method, url.replace(":id", "x").replace("*", gatewayFile), {
          token: scene.token(owner, role),
          ...(["POST", "PUT"].includes(method) && { body: {} }),
        });
        expect({ owner, role, status: answer.status }).toEqual({ owner, role, status: 401 });
      }
  });

  describe.each(Object.entries(entries))("%s", (route, entry) => {
    const [method, url] = route.split(" ") as [Method, string];

    const etagOf = async (target: string): Promise<string> => {
      const shown = url.replace(/:id.*/, target);
      const answer = await scene.ask("GET", shown, { token: scene.token("*", "admin") });
      return String(answer.headers["etag"]);
    };
    const ask = async (
      things: Things,
      token: string | undefined,
      headers: Readonly<Record<string, string>> = {},
    ) => {
      const target = entry.id === undefined ? "" : things[entry.id];
      const etag = ["PUT", "DELETE"].includes(method) ? await etagOf(target) : undefined;
      return await scene.ask(method, url.replace(":id", target) + (entry.query?.(things) ?? ""), {
        token,
        body: entry.body?.(things),
        headers: { ...headers, ...(etag === undefined ? {} : { "if-match": etag }) },
      });
    };
    const expectProblem = (
      answer: Awaited<ReturnType<typeof ask>>,
      status: number,
      asker: string,
    ) => {
      expect({ asker, status: answer.status }, answer.text).toEqual({ asker, status });
      expect(answer.headers["content-type"]).toBe("application/problem+json");
      expect(answer.body).toMatchObject({
        status,
        code: expect.any(String),
        title: expect.any(String),
      });
    };

    it("is for those who may, and for their own tenant", async () => {
      const thingsOf = async (owner: "a" | "b"): Promise<Things> => {
        if (method === "GET") return kept[owner];
        const changed = entry.id && { [entry.id]: await makeThing(scene, owner, entry.id) };
        return { ...kept[owner], name: newName(), ...changed };
      };
      expectProblem(await ask(kept.a, undefined), 401, "nobody");
      expectProblem(await ask(kept.a, `${scene.token("a", "admin").slice(0, -1)}!`), 401, "forged");
      for (const authorization of [`Backstay ${agentSignature}`, gatewayAccount(kept.a.agent)])
        expectProblem(await ask(kept.a, undefined, { authorization }), 401, authorization);
      for (const owner of owners)
        for (const role of roles) {
          const asker = `${owner} ${role}`;
          const token = scene.token(owner, role);
          const mayUse =
            roles.indexOf(role) >= roles.indexOf(entry.role) &&
            (entry.wholeServer !== true || owner === "*");
          if (!mayUse) {
            expectProblem(await ask(kept.a, token), 403, asker);
            continue;
          }
          const mine = await thingsOf(owner === "b" ? "b" : "a");
          const answer = await ask(mine, token);
          if (entry.refused === undefined)
            expect({ asker, isGood: answer.status < 300 }, answer.text).toEqual({
              asker,
              isGood: true,
            });
          else expectProblem(answer, entry.refused, asker);
          if (owner === "*") continue;
          const theirs = kept[owner === "a" ? "b" : "a"];
          if (entry.isList === true && entry.id === undefined) {
            expect(answer.text).not.toContain(theirs.tenant);
            expect(answer.text).toContain(mine.tenant);
          } else if (
            entry.id !== undefined ||
            entry.namesTenant === true ||
            answer.text.includes(mine.tenant)
          )
            expectProblem(await ask(theirs, token), 404, `${asker}, for another's`);
        }
    });
  });
});
