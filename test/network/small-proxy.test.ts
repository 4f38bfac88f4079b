import { createServer } from "node:http";
import { type AddressInfo, createServer as createPlainServer } from "node:net";
import { fetch, ProxyAgent } from "undici";
import { afterEach, expect, it } from "vitest";
import { SmallProxy } from "./small-proxy.ts";

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function startedProxy(account?: string): Promise<SmallProxy> {
  const proxy = await SmallProxy.start(account === undefined ? {} : { account });
  ends.push(() => proxy.stop());
  return proxy;
}

async function startedServer(): Promise<string> {
  const server = createServer((request, answer) => {
    let text = "";
    request.on("data", (piece: Buffer) => (text += piece.toString()));
    request.on("end", () => answer.end(`${request.method} ${request.url} ${text}`));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function through(proxy: SmallProxy, token?: string): ProxyAgent {
  const agent = new ProxyAgent({
    uri: proxy.url,
    proxyTunnel: true,
    ...(token !== undefined && { token }),
  });
  ends.push(() => agent.close());
  return agent;
}

it("lets a tunnel through to where it is asked, and notes it", async () => {
  const [proxy, server] = [await startedProxy(), await startedServer()];
  const agent = through(proxy);
  const answer = await fetch(`${server}/a?b=c`, {
    method: "POST",
    body: "text",
    dispatcher: agent,
  });
  expect(await answer.text()).toBe("POST /a?b=c text");
  expect(proxy.requests).toHaveLength(1);
  expect(proxy.requests[0]?.text).toBe(`CONNECT ${new URL(server).host}`);
});

it("forwards plain requests", async () => {
  const [proxy, server] = [await startedProxy(), await startedServer()];
  const dispatcher = new ProxyAgent({ uri: proxy.url, proxyTunnel: false });
  ends.push(() => dispatcher.close());
  const answer = await fetch(`${server}/a`, { method: "POST", body: "text", dispatcher });
  expect(await answer.text()).toBe("POST /a text");
  expect(proxy.requests[0]?.text).toBe(`POST ${server}/a`);
});

it("asks for its account, and refuses whoever has none", async () => {
  const [proxy, server] = [await startedProxy("ann:a secret"), await startedServer()];
  await expect(fetch(server, { dispatcher: through(proxy) })).rejects.toThrow();
  expect(proxy.requests.at(-1)?.isRefused).toBe(true);
  const token = `Basic ${Buffer.from("ann:a secret").toString("base64")}`;
  const answer = await fetch(server, { dispatcher: through(proxy, token) });
  expect(answer.status).toBe(200);
  expect(proxy.requests.at(-1)?.isRefused).toBe(false);
});

it("says that a server can't be reached, and goes on", async () => {
  const closed = createPlainServer();
  await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  const proxy = await startedProxy();
  const dispatcher = through(proxy);
  await expect(fetch(`http://127.0.0.1:${port}/`, { dispatcher })).rejects.toThrow();
  expect(await (await fetch(await startedServer(), { dispatcher })).text()).toContain("GET /");
});
