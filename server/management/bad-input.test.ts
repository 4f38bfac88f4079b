/** Bad inputs for every operation of the served description: each gets a problem document, and nothing breaks or hangs. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  type BadInput,
  badInput,
  chanceOf,
  type Operation,
  operationsOf,
} from "../../test/server/bad-inputs.ts";
import { eachDatabase } from "../../test/server/each-database.ts";
import { EnrolledMachine } from "../../test/server/enrolled-machine.ts";
import { makeThings, type Things } from "../../test/server/managed-things.ts";
import {
  type Answered,
  type ManagementScene,
  openManagementScene,
} from "../../test/server/management-scene.ts";
import { openApiFaults } from "../../test/server/openapi-faults.ts";

/** Inputs for each operation; more by BACKSTAY_BAD_INPUTS, others by BACKSTAY_SEED. */
const inputs = Number(process.env["BACKSTAY_BAD_INPUTS"] ?? 8);
const seed = Number(process.env["BACKSTAY_SEED"] ?? 20_261_123);
/** Far more than any answer takes on a busy machine: an answer that never comes is told by its request. */
const patienceMs = 45_000;

const documented = new Set(
  readFileSync(new URL("../../docs/management-api.md", import.meta.url), "utf8").match(
    /`[a-z]+(?:-[a-z]+)*`/g,
  ),
);

eachDatabase("bad input", (fresh) => {
  let scene: ManagementScene;
  let things: Things;
  let machine: EnrolledMachine;
  let description: unknown;

  beforeAll(async () => {
    scene = await openManagementScene(await fresh(), { wakeHoldSeconds: 0.01 });
    things = await makeThings(scene, "a");
    machine = await EnrolledMachine.enrol(scene, "a", "machine");
    description = (await scene.ask("GET", "/openapi.json")).body;
  });
  afterAll(async () => {
    await scene.close();
  });

  it("is not in the description itself, which is valid OpenAPI 3.1 and has every route", () => {
    expect(openApiFaults(description)).toEqual([]);
    const described = operationsOf(description as never).map(
      ({ method, path }) => `${method} ${path}`,
    );
    const routes = scene.routes
      .filter(({ url }) => url !== "/openapi.json" && !url.startsWith("/gateway/"))
      .map(({ method, url }) => `${method} ${url.replaceAll(/:(\w+)/g, "{$1}")}`);
    expect(described.toSorted()).toEqual(routes.toSorted());
  });

  it("gets a problem document from every operation, and never breaks one", async () => {
    const operations = operationsOf(description as never);
    expect(operations.length).toBeGreaterThan(80);
    const wrong: string[] = [];
    const codes = new Set<string>();
    for (const [at, operation] of operations.entries()) {
      const chance = chanceOf(seed + at);
      const ids = Object.values(things);
      const idFor = (): string => ids[Math.floor(chance() * ids.length)];
      for (let round = 0; round < inputs; round += 1) {
        const input = badInput(operation, chance, idFor);
        const answer = await answerTo(operation, input);
        const fault = faultOf(answer);
        const { code } = answer.body as { code?: string };
        if (answer.status >= 400 && code !== undefined) codes.add(code);
        if (fault !== undefined)
          wrong.push(
            `${operation.method} ${input.url} ${String(JSON.stringify(input.body)).slice(0, 300)}: ${fault}`,
          );
      }
    }
    expect(wrong).toEqual([]);
    expect([...codes].filter((code) => !documented.has(`\`${code}\``))).toEqual([]);
    expect(codes.size).toBeGreaterThan(5);
    // It still works, and nobody was told of anything by the log.
    expect((await scene.ask("GET", "/readyz")).status).toBe(200);
    expect(scene.ground.logged.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });

  async function answerTo(
    operation: Operation,
    { url, body, headers }: BadInput,
  ): Promise<Answered> {
    const isForAgents = operation.path.startsWith("/agent/");
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const authorization = machine.signature(operation.method, url, text);
    const asked = scene.ask(operation.method, url, {
      body: text,
      headers: { ...headers, ...(isForAgents && { authorization }) },
      token: isForAgents ? undefined : scene.token("*", "admin"),
    });
    const silence = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => silence.reject(new Error(`no answer to ${operation.method} ${url} ${text ?? ""}`)),
      patienceMs,
    );
    try {
      return await Promise.race([asked, silence.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
});

function faultOf({ status, headers, body, text }: Answered): string | undefined {
  if (status < 400) return undefined;
  if (status >= 500) return `status ${status}: ${text.slice(0, 300)}`;
  if (headers["content-type"] !== "application/problem+json")
    return `status ${status} is no problem`;
  const told = body as { status?: unknown; code?: unknown; title?: unknown; requestId?: unknown };
  const isWhole =
    told.status === status &&
    /^[a-z]+(?:-[a-z]+)*$/.test(String(told.code)) &&
    typeof told.title === "string" &&
    typeof told.requestId === "string";
  return isWhole ? undefined : `not a whole problem: ${text.slice(0, 300)}`;
}
