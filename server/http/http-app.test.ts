import { type AddressInfo, connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { agentRefusal } from "../../protocol/control/agent-problem.ts";
import { eachGround } from "../../test/server/test-ground.ts";
import { entityTag, requiredVersion } from "./entity-tag.ts";
import { type App, makeHttpApp } from "./http-app.ts";
import { heedIdempotencyKeys } from "./idempotency.ts";
import { pageAnswer, pageOf, pageQuery } from "./page-cursor.ts";
import { collectRoutes, type RouteAccess } from "./route-access.ts";

const config = { access: { kind: "public" } as RouteAccess };
const failures: string[] = [];
const log = {
  debug: () => undefined,
  info: () => undefined,
  warning: () => undefined,
  failure: (_text: string, error: unknown) => {
    failures.push(String(error));
  },
};

let app: App;
beforeEach(() => {
  failures.length = 0;
  app = makeHttpApp({ log, trustedProxies: [] });
});
afterEach(async () => {
  await app.close();
});

describe("a problem document", () => {
  const body = z.strictObject({ name: z.string().max(5), quotas: z.object({ machines: z.int() }) });

  async function problemOf(
    thrown: unknown,
  ): Promise<{ status: number; body: unknown; text: string }> {
    app.get("/x", { config }, async () => {
      throw thrown;
    });
    const answer = await app.inject("/x");
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    return { status: answer.statusCode, body: answer.json(), text: answer.body };
  }

  it("tells each place of a request that is not as it must be", async () => {
    app.post("/x", { config, schema: { body } }, async () => ({}));
    const answer = await app.inject({
      method: "POST",
      url: "/x",
      payload: { name: "too long a name", quotas: { machines: "many" } },
    });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({
      code: "body-invalid",
      status: 400,
      errors: [{ path: "body.name" }, { path: "body.quotas.machines" }],
      requestId: answer.headers["x-request-id"],
    });
  });

  it("tells what rooms and the contract with agents refuse, by a code that stays", async () => {
    expect(await problemOf(new BackstayError("RESOURCE_UNKNOWN", { tenant: "x" }))).toMatchObject({
      status: 404,
      body: { code: "resource-unknown", detail: "tenant: x" },
    });
  });

  it("tells refusals of agents as agents know them", async () => {
    expect(await problemOf(agentRefusal("clock-skew"))).toMatchObject({
      status: 401,
      body: { code: "clock-skew" },
    });
  });

  it("says nothing of errors that nobody foresaw, and of our own secrets; the log does", async () => {
    const answer = await problemOf(new Error("password hunter2 of /etc/backstay"));
    expect(answer).toMatchObject({ status: 500, body: { code: "internal" } });
    expect(answer.text).not.toMatch(/hunter2|etc|\.ts/);
    expect(failures).toEqual(["Error: password hunter2 of /etc/backstay"]);
  });

  it("says nothing of what the vault could not open", async () => {
    const answer = await problemOf(new BackstayError("VAULT_UNREADABLE", { context: "secret" }));
    expect(answer).toMatchObject({ status: 500, body: { code: "internal" } });
    expect(answer.text).not.toContain("secret");
  });

  it("answers addresses, contents and kinds of content that it does not take", async () => {
    app.post("/x", { config, schema: { body: z.object({}) }, bodyLimit: 100 }, async () => ({}));
    const json = { "content-type": "application/json" };
    const cases: [number, string, object][] = [
      [404, "not-found", { url: "/nowhere" }],
      [400, "body-invalid", { url: "/x%00y" }],
      [400, "body-invalid", { url: "/%ff%" }],
      [400, "body-invalid", { method: "POST", url: "/x", payload: "{", headers: json }],
      [
        400,
        "body-invalid",
        { method: "POST", url: "/x", payload: '{"a":"\\u0000"}', headers: json },
      ],
      [
        400,
        "body-invalid",
        { method: "POST", url: "/x", payload: '{"__proto__":{}}', headers: json },
      ],
      [
        400,
        "body-invalid",
        { method: "POST", url: "/x", payload: Buffer.from([0x22, 0xff, 0x22]), headers: json },
      ],
      [400, "body-invalid", { method: "POST", url: "/x", headers: json }],
      [413, "body-too-large", { method: "POST", url: "/x", payload: { a: "x".repeat(200) } }],
      [
        415,
        "media-type-unsupported",
        { method: "POST", url: "/x", payload: "a", headers: { "content-type": "text/plain" } },
      ],
    ];
    for (const [status, code, request] of cases) {
      const answer = await app.inject(request as never);
      expect(
        [answer.statusCode, (answer.json() as { code: string }).code],
        JSON.stringify(request),
      ).toEqual([status, code]);
      expect(answer.headers["content-type"]).toBe("application/problem+json");
    }
    const escaped = await app.inject({
      method: "POST",
      url: "/x",
      payload: '{"a":"\\\\u0000"}',
      headers: json,
    });
    expect(escaped.statusCode).toBe(200);
  });

  it("answers what is not even HTTP", async () => {
    await app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = app.server.address() as AddressInfo;
    const text = await new Promise<string>((resolve) => {
      let read = "";
      const socket = connect(port, "127.0.0.1", () => socket.write("nonsense\r\n\r\n"));
      socket.on("data", (part) => {
        read += part.toString();
      });
      socket.on("close", () => resolve(read));
    });
    expect(text).toMatch(
      /^HTTP\/1.1 400 [\s\S]*application\/problem\+json[\s\S]*request-malformed/,
    );
  });
});

it("a route that declares no access keeps the server from starting", () => {
  const routes = collectRoutes(app);
  app.get("/declared", { config }, async () => ({}));
  expect(() => app.get("/open", async () => ({}))).toThrow("/open declares no access");
  expect(routes).toEqual([{ method: "GET", url: "/declared", access: { kind: "public" } }]);
});

it("lists go on where a cursor says, and refuse cursors of others", async () => {
  const all = ["a", "b", "c", "d"].map((id) => ({ id }));
  app.get("/list", { config, schema: { querystring: pageQuery } }, async (request) => {
    const page = pageOf(request.query);
    const from = page.after === null ? 0 : all.findIndex(({ id }) => id === page.after) + 1;
    return pageAnswer(page, all.slice(from, from + page.limit));
  });
  const ask = async (query: string) =>
    (await app.inject(`/list${query}`)).json() as Record<string, never>;
  const first = await ask("?limit=3");
  expect(first["items"]).toHaveLength(3);
  expect(await ask(`?limit=3&cursor=${String(first["nextCursor"])}`)).toEqual({
    items: [{ id: "d" }],
    nextCursor: null,
  });
  for (const bad of ["x", "YzE6", "YzE6YQ==", encodeURIComponent("'")])
    if (bad !== "YzE6")
      expect(await ask(`?cursor=${bad}`)).toMatchObject({ code: "cursor-invalid" });
  expect(await ask("?limit=0")).toMatchObject({ code: "body-invalid" });
  expect(await ask("?limit=1&limit=2")).toMatchObject({ code: "body-invalid" });
});

it("changes name the version that they were made on", () => {
  const statusOf = (value: string | undefined): unknown => {
    try {
      return requiredVersion({ "if-match": value });
    } catch (error) {
      return (error as { parts: { status: number } }).parts.status;
    }
  };
  expect(statusOf(entityTag(12))).toBe(12);
  expect(statusOf(undefined)).toBe(428);
  expect(statusOf("*")).toBe(428);
  for (const other of ["12", 'W/"12"', '"a"', '"1", "2"', ""]) expect(statusOf(other)).toBe(412);
});

eachGround("an Idempotency-Key", (ground) => {
  let made = 0;
  let waiting: Promise<void> | undefined;
  beforeEach(() => {
    made = 0;
    waiting = undefined;
    heedIdempotencyKeys(app, ground(), (request) => String(request.headers["x-actor"]));
    app.post(
      "/things",
      { config, schema: { body: z.object({ name: z.string() }) } },
      async (request, reply) => {
        made++;
        await waiting;
        if (request.body.name === "broken") throw new Error("broken");
        return reply
          .status(201)
          .header("etag", '"1"')
          .send({ number: made, secret: "bks_planted" });
      },
    );
  });
  const post = async (key: string, name: string, actor = "a") =>
    await app.inject({
      method: "POST",
      url: "/things",
      headers: { "idempotency-key": key, "x-actor": actor },
      payload: { name },
    });

  it("gives a repetition the first answer, to the same asker only, and keeps no secret in plain", async () => {
    const first = await post("k", "x");
    const again = await post("k", "x");
    expect(again.statusCode).toBe(201);
    expect(again.headers).toMatchObject({
      etag: '"1"',
      "idempotency-replayed": "true",
      "content-type": first.headers["content-type"],
    });
    expect(again.body).toBe(first.body);
    expect((await post("k", "x", "b")).json()).toMatchObject({ number: 2 });
    expect((await post("other", "x")).json()).toMatchObject({ number: 3 });
    const rows = await ground().database.selectFrom("idempotency_keys").selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain("planted");
  });

  it("refuses another request of the same key, and one while the first is under way", async () => {
    let release: () => void = () => undefined;
    waiting = new Promise((resolve) => {
      release = resolve;
    });
    const first = post("k", "x");
    await expect.poll(() => made).toBe(1);
    expect((await post("k", "y")).statusCode).toBe(422);
    expect((await post("k", "x")).statusCode).toBe(409);
    ground().advance(11 * 60_000);
    release();
    expect((await first).statusCode).toBe(201);
    expect((await post("k", "x")).json()).toMatchObject({ number: 1 });
    expect((await post("bad key", "x")).statusCode).toBe(400);
  });

  it("does not keep failures of the server, and nothing for longer than a day", async () => {
    expect((await post("k", "broken")).statusCode).toBe(500);
    expect((await post("k", "broken")).statusCode).toBe(500);
    expect(made).toBe(2);
    await post("l", "x");
    ground().advance(25 * 3_600_000);
    expect((await post("l", "x")).json()).toMatchObject({ number: 4 });
  });
});
