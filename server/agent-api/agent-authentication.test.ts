import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { agentApi, answerHeaders } from "../../protocol/control/agent-api.ts";
import { type SignedRequest, signRequest } from "../../protocol/control/request-signature.ts";
import { IdentityServer, probePath } from "../../test/identity/identity-server.ts";
import { type MadeMachine, madeMachine } from "../../test/identity/made-machine.ts";
import { eachDatabase } from "../../test/server/each-database.ts";
import { askPinned, type PinnedAnswer } from "../../test/server/pinned-request.ts";
import { Agents } from "../fleet/agents.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

eachDatabase("a request of an agent", (fresh) => {
  let server: IdentityServer;
  let machine: MadeMachine;
  let agentId: string;

  beforeEach(async () => {
    server = await IdentityServer.start({ database: await fresh() });
    machine = madeMachine("web");
    agentId = await enrolled(machine);
  });
  afterEach(async () => {
    await server.stop();
  });

  async function enrolled(member: MadeMachine): Promise<string> {
    const outcome = await server.fleet.enrolments.enrol(
      member.request(await server.token()),
      "192.0.2.1",
    );
    if (outcome.kind !== "admitted") throw new Error(outcome.kind);
    return outcome.answer.agentId;
  }

  /** The authorization of a request that this machine makes now. */
  function signed(changed: Partial<SignedRequest> = {}, by = machine): string {
    const request = { issuer: agentId, method: "PUT", path: probePath, body: body(), ...changed };
    const nonce = randomBytes(16).toString("base64url");
    return signRequest({ timeMs: server.ground.now(), nonce, ...request }, by.identityKey);
  }

  const body = (text = '{"a":1}'): Buffer => Buffer.from(text);

  async function send(
    authorization: string | undefined,
    { method = "PUT", path = probePath, text = '{"a":1}' } = {},
  ): Promise<PinnedAnswer> {
    return await askPinned(`${server.url}${path}`, {
      method,
      headers: {
        ...(authorization !== undefined && { authorization }),
        ...(text !== "" && { "content-type": "application/json" }),
      },
      body: text,
    });
  }

  /** Status and code. */
  function told({ status, text }: PinnedAnswer): string {
    const { code } = JSON.parse(text) as { code?: string };
    return code === undefined ? String(status) : `${status} ${code}`;
  }

  it("counts once: what somebody has recorded is refused, also after its time", async () => {
    const recorded = signed();
    const answer = await send(recorded);
    expect(told(answer)).toBe("200");
    expect(JSON.parse(answer.text)).toEqual({ agentId, body: { a: 1 } });
    expect(told(await send(recorded))).toBe("401 request-replayed");
    server.ground.advance(4 * minuteMs);
    await server.fleet.nonces.prune();
    expect(told(await send(recorded))).toBe("401 request-replayed");
    server.ground.advance(2 * minuteMs);
    await server.fleet.nonces.prune();
    expect(told(await send(recorded))).toBe("401 clock-skew");
    // The one from the future lives twice as long.
    const early = signed({ timeMs: server.ground.now() + 4 * minuteMs });
    expect(told(await send(early))).toBe("200");
    server.ground.advance(8 * minuteMs);
    await server.fleet.nonces.prune();
    expect(told(await send(early))).toBe("401 request-replayed");
  });

  it("sent twice at once counts once", async () => {
    const recorded = signed();
    const answers = await Promise.all(Array.from({ length: 6 }, async () => await send(recorded)));
    expect(answers.map(told).sort()).toEqual(["200", ...Array(5).fill("401 request-replayed")]);
  });

  it("is refused if anything of it is not what was signed, and its number stays unused", async () => {
    const good = signed();
    const [header, , signature] = good.slice("Backstay ".length).split(".");
    const [, otherClaims] = signed().slice("Backstay ".length).split(".");
    const wrong: [string, string | undefined, Parameters<typeof send>[1]?][] = [
      ["method", good, { method: "GET", text: "" }],
      ["query", good, { path: `${probePath}?a=1` }],
      ["path", good, { path: `${probePath}/` }],
      ["body", good, { text: '{"a":2}' }],
      ["longer body", good, { text: '{"a":1} ' }],
      ["no body", good, { text: "" }],
      ["nothing", undefined],
      ["a token of people", "Bearer bks_a_b"],
      ["another's claims", `Backstay ${header}.${otherClaims}.${signature}`],
      ["cut", good.slice(0, -1)],
      ["another key", signed({}, madeMachine())],
    ];
    const answers = await Promise.all(
      wrong.map(async ([, sent, with_]) => await send(sent, with_)),
    );
    for (const [at, answer] of answers.entries())
      expect(told(answer), wrong[at][0]).toMatch(
        wrong[at][0] === "path" ? /^(401|404) / : "401 signature-invalid",
      );
    expect(told(await send(good))).toBe("200");
  });

  it("of one agent is never taken for another's, nor for an unknown one's", async () => {
    const otherId = await enrolled(madeMachine("other"));
    expect(told(await send(signed({ issuer: otherId })))).toBe("401 signature-invalid");
    expect(told(await send(signed({ issuer: "nobody" })))).toBe("401 agent-unknown");
    const body = madeMachine().fork(agentId);
    const text = JSON.stringify(body);
    const foreign = signed({
      issuer: otherId,
      method: "POST",
      path: agentApi.fork,
      body: Buffer.from(text),
    });
    expect(told(await send(foreign, { method: "POST", path: agentApi.fork, text }))).toBe(
      "401 signature-invalid",
    );
  });

  it("whose clock is wrong is told so by a code of its own, and the server's time", async () => {
    for (const offMs of [-4 * minuteMs, 4 * minuteMs])
      expect(told(await send(signed({ timeMs: server.ground.now() + offMs })))).toBe("200");
    for (const offMs of [-6 * minuteMs, 6 * minuteMs, -30 * hourMs, 5 * hourMs]) {
      const answer = await send(signed({ timeMs: server.ground.now() + offMs }));
      expect(told(answer)).toBe("401 clock-skew");
      expect(Number(answer.headers[answerHeaders.time])).toBe(server.ground.now());
    }
    // Who does not hold the key learns nothing of what is wrong with the time.
    const guess = signed({ timeMs: 0 }, madeMachine());
    expect(told(await send(guess))).toBe("401 signature-invalid");
  });

  it("is refused within seconds after its agent was suspended or revoked, and taken again after", async () => {
    const agents = new Agents(server.ground);
    expect(told(await send(signed()))).toBe("200");
    for (const [status, expected] of [
      ["suspended", "403 agent-suspended"],
      ["active", "200"],
      ["revoked", "403 agent-revoked"],
    ] as const) {
      await agents.setStatus("token:test", null, agentId, status);
      server.ground.advance(6000);
      expect(told(await send(signed()))).toBe(expected);
    }
  });

  it("leaves neither signatures nor keys in the log", async () => {
    const recorded = signed();
    for (const authorization of [recorded, recorded, `${recorded}x`]) await send(authorization);
    const [, , signature] = recorded.split(".");
    const seen = await server.everything();
    expect(seen).not.toContain(signature);
    expect(seen).not.toContain("Backstay ey");
  });
});
