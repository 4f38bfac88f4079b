/** The proxy's own tests: each fault does what it says to a plain HTTP server, and says what it did. */
import { createHash, randomBytes } from "node:crypto";
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  request as makeRequest,
  type Server,
} from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Fault, type FaultPlan, type RequestChoice, storm, strikeAt } from "./fault-plan.ts";
import { FaultProxy } from "./fault-proxy.ts";

const content = randomBytes(300_000);

/** What the server behind got: whole bodies, and how many bytes of those that broke off. */
const whole: Buffer[] = [];
const partial: number[] = [];
let server: Server;
let proxy: FaultProxy;
const keptAlive = new Agent({ keepAlive: true, maxSockets: 1 });

beforeAll(async () => {
  server = createServer((request, answer) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("error", () => partial.push(Buffer.concat(parts).length));
    request.on("end", () => {
      whole.push(Buffer.concat(parts));
      if (request.method === "GET") answer.end(content);
      else answer.writeHead(201, { "X-Case": "Kept" }).end(hashOf(Buffer.concat(parts)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy = await FaultProxy.start(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterAll(async () => {
  keptAlive.destroy();
  await proxy.stop();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  whole.length = 0;
  partial.length = 0;
  proxy.follow(() => undefined);
});

function hashOf(data: Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

async function ask(method: string, body?: Buffer, path = "/a?b=%20c"): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const request = makeRequest(`${proxy.url}${path}`, {
      method,
      agent: keptAlive,
      ...(body !== undefined && { headers: { "content-length": body.length } }),
    });
    request.on("error", reject);
    request.on("response", (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, headers, body: Buffer.concat(parts) });
      });
    });
    request.end(body);
  });
}

function follow(fault: Fault, choice: RequestChoice = {}): void {
  proxy.follow(strikeAt(1, fault, choice));
}

describe("a fault proxy without a fault", () => {
  it("passes requests and answers as they are, and notes them", async () => {
    const body = randomBytes(1_000_000);
    const stored = await ask("PUT", body);
    expect(stored.status).toBe(201);
    expect(stored.headers["x-case"]).toBe("Kept");
    expect(stored.body.toString()).toBe(hashOf(body));
    expect((await ask("GET")).body.equals(content)).toBe(true);
    expect((await ask("HEAD")).status).toBe(201);
    expect(proxy.seen).toMatchObject([
      { index: 0, method: "PUT", target: "/a?b=%20c", bytesUp: body.length, status: 201 },
      { index: 1, method: "GET", bytesUp: 0, bytesDown: content.length },
      { index: 2, method: "HEAD", bytesDown: 0 },
    ]);
    expect(proxy.struck).toEqual([]);
    expect(() => proxy.assertStruck()).toThrow("0 faults struck");
  });
});

describe("a fault on the way up", () => {
  it.each([0, 1, 70_000, 199_999, 200_000])("cuts after %i bytes", async (atByte) => {
    follow({ kind: "cut", way: "up", atByte });
    const body = randomBytes(200_000);
    await expect(ask("PUT", body)).rejects.toMatchObject({ code: /ECONNRESET|EPIPE/ });
    proxy.assertStruck();
    expect((await ask("PUT", body)).status).toBe(201);
    // A body that passed whole may have been taken before the connection went.
    expect(whole.length).toBeLessThanOrEqual(atByte < body.length ? 1 : 2);
    expect(Math.max(0, ...partial)).toBeLessThanOrEqual(atByte);
  });
  it("does not count a cut behind the end", async () => {
    follow({ kind: "cut", way: "up", atByte: 11 });
    expect((await ask("PUT", randomBytes(10))).status).toBe(201);
    expect(proxy.struck).toEqual([]);
  });
  it("turns one byte", async () => {
    const body = randomBytes(200_000);
    follow({ kind: "flip", way: "up", atByte: 123_456 });
    expect((await ask("PUT", body)).status).toBe(201);
    const [received = Buffer.alloc(0)] = whole;
    expect(received[123_456]).toBe(body[123_456] ^ 0xff);
    body[123_456] ^= 0xff;
    expect(received.equals(body)).toBe(true);
  });
  it("stalls until the client gives up", async () => {
    follow({ kind: "stall", way: "up", atByte: 1000 });
    const controller = new AbortController();
    const request = fetch(proxy.url, {
      method: "PUT",
      body: randomBytes(5000),
      signal: controller.signal,
    });
    while (proxy.struck.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    await expect(request).rejects.toMatchObject({ name: "AbortError" });
    expect(whole).toEqual([]);
    expect(Math.max(0, ...partial)).toBeLessThanOrEqual(1000);
  });
  it("is slow, or late, and whole", async () => {
    const body = randomBytes(300_000);
    for (const fault of [
      { kind: "slow", way: "up", bytesPerSecond: 3_000_000 },
      { kind: "delay", delayMs: 20 },
    ] as const) {
      follow(fault);
      expect((await ask("PUT", body)).body.toString()).toBe(hashOf(body));
      proxy.assertStruck();
    }
  });
});

describe("a fault on the way down", () => {
  it.each([0, 1, 299_999, 300_000])("cuts after %i bytes", async (atByte) => {
    follow({ kind: "cut", way: "down", atByte });
    const asked = ask("GET");
    // With the last byte the answer is whole; it is the next request that may see the reset then.
    if (atByte < content.length) await expect(asked).rejects.toMatchObject({ code: "ECONNRESET" });
    else await asked.then(() => ask("HEAD")).catch(() => undefined);
    proxy.assertStruck();
    expect((await ask("GET")).status).toBe(200);
  });
  it("turns one byte", async () => {
    follow({ kind: "flip", way: "down", atByte: 0 });
    const { body } = await ask("GET");
    expect(body[0]).toBe(content[0] ^ 0xff);
    expect(body.subarray(1).equals(content.subarray(1))).toBe(true);
  });
  it("shortens the body so that its length fits", async () => {
    follow({ kind: "shorten", toBytes: 1234 });
    const { body, headers } = await ask("GET");
    expect(body.equals(content.subarray(0, 1234))).toBe(true);
    expect(headers["content-length"]).toBe("1234");
  });
  it("says a length that is too great, or too small", async () => {
    follow({ kind: "lie", deltaBytes: 5 });
    await expect(ask("GET")).rejects.toMatchObject({ code: "ECONNRESET" });
    follow({ kind: "lie", deltaBytes: -5 });
    const short = await ask("GET").catch(() => undefined);
    if (short !== undefined) expect(short.body.equals(content.subarray(0, -5))).toBe(true);
    proxy.assertStruck();
    expect((await ask("GET")).body.equals(content)).toBe(true);
  });
  it("swallows the answer of what was done", async () => {
    follow({ kind: "swallow" }, { method: "PUT" });
    const body = randomBytes(5000);
    expect((await ask("GET")).status).toBe(200);
    await expect(ask("PUT", body)).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(whole.at(-1)?.equals(body)).toBe(true);
    expect(proxy.struck).toMatchObject([{ request: { index: 1, method: "PUT", status: 201 } }]);
  });
  it("refuses without asking the server, so often as it is told", async () => {
    const fault: Fault = { kind: "refuse", status: 503, retryAfterSeconds: 7, body: "<Error/>" };
    proxy.follow(strikeAt(2, fault, { bytesUpMin: 10 }, 2));
    const body = randomBytes(100);
    const statuses = [];
    for (let i = 0; i < 4; i += 1) {
      const answer = await ask("PUT", body);
      statuses.push(answer.status);
      if (answer.status === 503) {
        expect(answer.headers["retry-after"]).toBe("7");
        expect(answer.body.toString()).toBe("<Error/>");
      }
    }
    expect(statuses).toEqual([201, 503, 503, 201]);
    expect(whole).toHaveLength(2);
  });
  it("lets everything through when it is calm again", async () => {
    proxy.follow(strikeAt(1, { kind: "refuse", status: 500 }, {}, Number.POSITIVE_INFINITY));
    expect((await ask("GET")).status).toBe(500);
    proxy.calm();
    expect((await ask("GET")).status).toBe(200);
    expect(proxy.struck).toHaveLength(1);
  });
});

describe("a storm", () => {
  function facesOf(plan: FaultPlan): unknown[] {
    return Array.from({ length: 400 }, (_, index) =>
      plan({ index, method: "PUT", target: "/", bytesUp: index * 10 }),
    );
  }
  it("is the same for the same seed, and has the share that it was given", () => {
    const faces = facesOf(storm(7, 0.25));
    expect(facesOf(storm(7, 0.25))).toEqual(faces);
    expect(facesOf(storm(8, 0.25))).not.toEqual(faces);
    const count = faces.filter((fault) => fault !== undefined).length;
    expect(count).toBeGreaterThan(60);
    expect(count).toBeLessThan(140);
    expect(facesOf(storm(7, 0)).every((fault) => fault === undefined)).toBe(true);
  });
});
