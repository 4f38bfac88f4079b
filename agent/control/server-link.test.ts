import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { answerHeaders } from "../../protocol/control/agent-api.ts";
import { ask, EnrollingMachine, outcomeOf } from "../../test/identity/enrolling-machine.ts";
import {
  IdentityServer,
  type IdentityServerOptions,
  ownTestCertificate,
  probePath,
  type TestCertificate,
} from "../../test/identity/identity-server.ts";
import { makeTestAuthority, type TestAuthority } from "../../test/identity/test-authority.ts";
import { FrontProxy } from "../../test/network/front-proxy.ts";
import { SmallProxy } from "../../test/network/small-proxy.ts";
import type { ServerLink } from "./server-link.ts";

const hourMs = 3_600_000;
const never = new AbortController().signal;
let toEnd: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of toEnd.toReversed()) await end();
  toEnd = [];
});

async function startServer(options: IdentityServerOptions = {}): Promise<IdentityServer> {
  const server = await IdentityServer.start(options);
  toEnd.push(async () => await server.stop());
  return server;
}

function newMachine(server: IdentityServer, name = "web"): EnrollingMachine {
  const machine = new EnrollingMachine(name, server.ground.now());
  toEnd.push(() => machine.stop());
  return machine;
}

/** A machine that is a member, and its link. */
async function member(
  server: IdentityServer,
): Promise<{ machine: EnrollingMachine; link: ServerLink }> {
  const machine = newMachine(server);
  await machine.enroll(await server.token());
  return { machine, link: await machine.start() };
}

describe("a machine whose clock is wrong", () => {
  it("learns the server's time from its refusal, corrects its own by it, and goes on", async () => {
    const server = await startServer();
    const { machine, link } = await member(server);
    for (const offMs of [-5 * hourMs, 30 * hourMs]) {
      // The clock of the machine stays where it is, and the server's is elsewhere.
      server.ground.setTime(machine.clock.now() - offMs);
      server.requests.length = 0;
      expect(await ask(link)).toBe("ok");
      expect(server.requests).toHaveLength(2);
      expect(link.clockOffsetMs).toBe(-offMs);
      expect(link.nowMs()).toBe(server.ground.now());
      expect(await ask(link)).toBe("ok");
      expect(server.requests).toHaveLength(3);
    }
    // Somebody sets the clock right.
    machine.clock.advance(server.ground.now() - machine.clock.now() + 40 * hourMs);
    server.ground.setTime(machine.clock.now());
    expect(await ask(link)).toBe("ok");
    expect(link.clockOffsetMs).toBe(0);
  });

  it("joins as every other, and takes a few seconds for no difference", async () => {
    const server = await startServer();
    const machine = newMachine(server);
    server.ground.advance(-300 * hourMs);
    const token = await server.token();
    const { membership } = await machine.enroll(token);
    expect((await server.agents()).map(({ id }) => id)).toEqual([membership.agentId]);
    server.ground.setTime(machine.clock.now() + 50_000);
    const link = await machine.start();
    expect(await ask(link)).toBe("ok");
    expect(link.clockOffsetMs).toBe(0);
  });
});

describe("a proxy", () => {
  it("in front of the server may end TLS, have a path, and rename it; only such a proxy is believed", async () => {
    const certificate = ownTestCertificate();
    const front = await FrontProxy.start({
      ...certificate,
      prefix: "/backup",
      client: "203.0.113.9",
    });
    toEnd.push(async () => await front.stop());
    const options = { publicUrls: [`${front.url}/`], pins: [certificate.pin] };
    const networks = ["203.0.113.0/24"];
    for (const [trustedProxies, outcome] of [
      [["127.0.0.1"], "ok"],
      [[], "token-network"],
    ] as const) {
      const server = await startServer({ ...options, trustedProxies });
      front.upstream = server.url;
      const machine = newMachine(server);
      expect(await outcomeOf(machine.enroll(await server.token({ networks })))).toBe(outcome);
      if (outcome !== "ok") continue;
      const link = await machine.start();
      expect(await ask(link)).toBe("ok");
      const call = { path: probePath, body: { some: "thing" }, signal: never };
      expect((await link.call({ ...call, method: "PUT" })).body).toMatchObject({
        body: { some: "thing" },
      });
    }
  });

  it("that leads outside is used with its account, and passed by as NO_PROXY says", async () => {
    const server = await startServer();
    const proxy = await SmallProxy.start({ account: "me:p:ss wörd" });
    toEnd.push(async () => await proxy.stop());
    const address = (account: string): string => proxy.url.replace("//", `//${account}@`);
    const good = address(`me:${encodeURIComponent("p:ss wörd")}`);
    const machine = newMachine(server);
    machine.environment = { HTTPS_PROXY: good };
    await machine.enroll(await server.token());
    expect(await ask(await machine.start())).toBe("ok");
    const { host } = new URL(server.url);
    const used = proxy.requests.map(({ text, isRefused }) => `${text} ${isRefused}`);
    expect(new Set(used)).toEqual(new Set([`CONNECT ${host} false`]));

    proxy.requests.length = 0;
    machine.environment = { HTTPS_PROXY: good, NO_PROXY: "127.0.0.0/8" };
    expect(await ask(await machine.start())).toBe("ok");
    expect(proxy.requests).toEqual([]);

    machine.environment = { HTTPS_PROXY: address("me:wrong") };
    const refused = ask(await machine.start());
    expect(await refused).toBe("LINK_FAILED");
    expect(proxy.requests.map(({ isRefused }) => isRefused)).toEqual([true]);
    await expect(
      (await machine.start()).call({ method: "GET", path: probePath, signal: never }),
    ).rejects.toThrow(/wants a user and a password/);
  });

  it("that is gone is not gone around", async () => {
    const server = await startServer();
    const { machine } = await member(server);
    machine.environment = { HTTPS_PROXY: "http://127.0.0.1:9" };
    server.requests.length = 0;
    expect(await ask(await machine.start())).toBe("LINK_FAILED");
    expect(server.requests).toEqual([]);
  });
});

describe("the server's certificate", () => {
  let authority: TestAuthority;
  beforeAll(() => {
    authority = makeTestAuthority();
  });

  it("may be renewed with the same key; with another key nothing is sent", async () => {
    const certificate = ownTestCertificate();
    const server = await startServer({ certificate });
    const { link } = await member(server);
    expect(await ask(link)).toBe("ok");
    server.show(ownTestCertificate(certificate.key));
    expect(await ask(link)).toBe("ok");
    server.show(ownTestCertificate());
    server.requests.length = 0;
    expect(await ask(link)).toBe("LINK_UNTRUSTED");
    expect(server.requests).toEqual([]);
    // It was somebody in between, who has gone.
    server.show(certificate);
    expect(await ask(link)).toBe("ok");
  });

  it("with another pin than the token's lets no machine join, and tells nobody the token", async () => {
    const server = await startServer({ pins: [ownTestCertificate().pin] });
    const machine = newMachine(server);
    expect(await outcomeOf(machine.enroll(await server.token()))).toBe("LINK_UNTRUSTED");
    expect(server.requests).toEqual([]);
    expect((await machine.open()).kind).toBe("enrolling");
  });

  it.each<[string, () => TestCertificate, string]>([
    [
      "of the pinned authority, for this name",
      () => authority.certificateFor("IP:127.0.0.1"),
      "ok",
    ],
    [
      "of the pinned authority, for another name",
      () => authority.certificateFor("DNS:other.example"),
      "LINK_UNTRUSTED",
    ],
    [
      "beside the pinned authority, which has not signed it",
      () => authority.forgedFor("IP:127.0.0.1"),
      "LINK_UNTRUSTED",
    ],
    ["of its own", () => ownTestCertificate(), "LINK_UNTRUSTED"],
  ])("%s: as it should be", async (_, make, outcome) => {
    const server = await startServer({ certificate: make(), pins: [authority.pin] });
    const machine = newMachine(server);
    expect(await outcomeOf(machine.enroll(await server.token()))).toBe(outcome);
  });

  it("without pins is judged by the authorities of the machine, and those it was given", async () => {
    const certificate = authority.certificateFor("IP:127.0.0.1");
    const server = await startServer({ certificate, pins: [] });
    const machine = newMachine(server);
    const token = await server.token();
    expect(await outcomeOf(machine.enroll(token))).toBe("LINK_UNTRUSTED");
    machine.authorities = authority.cert;
    expect(await outcomeOf(machine.enroll(token))).toBe("ok");
    server.show(authority.certificateFor("DNS:other.example"));
    expect(await ask(await machine.start())).toBe("LINK_UNTRUSTED");
  });
});

describe("what answers in the server's place", () => {
  it.each<[string, number, Record<string, string>, string]>([
    ["a login page", 200, { "content-type": "text/html" }, "<html>"],
    ["a refusal of a proxy", 401, { "content-type": "text/html" }, "no"],
    ["a refusal like ours, without our time", 403, {}, '{"code":"agent-revoked"}'],
    ["a refusal with a code that nobody knows", 403, { time: "1" }, '{"code":"gone-fishing"}'],
    ["an empty refusal", 403, { time: "1" }, ""],
    ["nothing, with 200", 200, {}, ""],
    ["nothing at all, with 204", 204, {}, ""],
    ["a redirection", 302, { location: "https://127.0.0.1:9/", time: "1" }, ""],
    ["damaged JSON", 503, { time: "1" }, '{"code":'],
    ["an answer without end", 200, { time: "1" }, "x".repeat(9 * 1024 * 1024)],
  ])("%s is a failed link, never a word of the server", async (_, status, headers, text) => {
    const certificate = ownTestCertificate();
    const other = createServer(certificate, (request, answer) => {
      request.resume();
      const { time, ...more } = headers;
      const said = time === undefined ? {} : { [answerHeaders.time]: time };
      answer.writeHead(status, { "content-type": "application/json", ...more, ...said });
      answer.end(text);
    });
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    toEnd.push(async () => {
      other.closeAllConnections();
      await new Promise((resolve) => other.close(resolve));
    });
    const server = await startServer();
    const { machine } = await member(server);
    const urls = [`https://127.0.0.1:${(other.address() as AddressInfo).port}`];
    const link = await machine.start({ urls, pins: [certificate.pin] });
    expect(await ask(link)).toBe("LINK_FAILED");
  });
});

describe("the link", () => {
  it("tries the server's other addresses, and first the one that answered last", async () => {
    const dead = await SmallProxy.start();
    const gone = dead.url.replace("http:", "https:");
    await dead.stop();
    const other = await startServer();
    const server = await startServer();
    const { machine } = await member(server);
    const urls = [gone, other.url, server.url];
    const link = await machine.start({ urls, pins: [server.pin] });
    expect(await ask(link)).toBe("ok");
    expect(await ask(link)).toBe("ok");
    expect(other.requests).toEqual([]);
    await server.stop();
    // Of all that failed, that something else answered tells most.
    expect(await ask(link)).toBe("LINK_UNTRUSTED");
  });

  it("goes on where the server has closed a connection that was kept", async () => {
    const server = await startServer();
    const { link } = await member(server);
    for (let count = 0; count < 3; count += 1) {
      expect(await ask(link)).toBe("ok");
      server.closeConnections();
    }
  });

  it("tells how long the server wants to be left alone", async () => {
    const few = { burst: 1, perSecond: 1 / 600 };
    const wide = { burst: 100, perSecond: 100 };
    const limits = { agents: few, enrolment: wide, management: wide, gateway: wide };
    const server = await startServer({ limits });
    const { link } = await member(server);
    expect(await ask(link)).toBe("ok");
    await expect(
      link.call({ method: "GET", path: probePath, signal: never }),
    ).rejects.toMatchObject({
      code: "AGENT_REFUSED",
      context: { problem: "rate-limited", retryAfterSeconds: expect.any(Number) },
    });
  });

  it("ends with the signal's reason, whatever it waits for", async () => {
    const server = await startServer();
    const { link } = await member(server);
    const ending = new AbortController();
    server.breaks = (moment) => {
      if (moment === "arrival") ending.abort(new Error("enough"));
      return false;
    };
    expect(await ask(link, ending.signal)).toBe("Error: enough");
    expect(await ask(link, ending.signal)).toBe("Error: enough");
  });
});
