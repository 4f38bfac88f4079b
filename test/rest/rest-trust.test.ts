/** Whom a REST store speaks to: pins, authorities, and proxies on the way. */
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createPlainServer, type RequestListener, type Server } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { pinOfKey } from "../../platform/server-pins.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { makeCertificate, makeCertificateKey } from "../../server/serve/own-certificate.ts";
import { openStore } from "../../storage/open-store.ts";
import { SmallProxy } from "../network/small-proxy.ts";

const never = new AbortController().signal;
const proxyPassword = "pr0xy:p@ss";
const account = { RESTIC_REST_USERNAME: "me", RESTIC_REST_PASSWORD: "planted-secret" };

interface MadeServer {
  readonly port: number;
  readonly pin: string;
  readonly certificate: string;
  stop(): Promise<void>;
}

/** What all servers of this file were asked, with the account. */
const asked: string[] = [];
const listener: RequestListener = (request, response) => {
  asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
  response.setHeader("content-length", 5).end(request.method === "HEAD" ? undefined : "12345");
};

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function makeServer(names: readonly string[], nowMs = Date.now()): Promise<MadeServer> {
  const key = makeCertificateKey();
  const privateKey = createPrivateKey(key);
  const certificate = makeCertificate(privateKey, names, nowMs);
  const server = createServer({ key, cert: certificate }, listener);
  const port = await listening(server as unknown as Server);
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port, pin: pinOfKey(privateKey), certificate, stop };
}

let folder: string;
let server: MadeServer;
let elsewhere: MadeServer;
let plain: Server;
let plainPort: number;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-rest-trust-"));
  server = await makeServer(["localhost", "127.0.0.1"]);
  elsewhere = await makeServer(["elsewhere.example"], Date.now() - 1000 * 86_400_000);
  plain = createPlainServer(listener);
  plainPort = await listening(plain);
});
afterAll(async () => {
  await server.stop();
  await elsewhere.stop();
  plain.closeAllConnections();
  await new Promise((resolve) => plain.close(resolve));
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  asked.length = 0;
});

/** The size of `config`, or the code of the error, which tells no secret. */
async function look(
  address: string,
  environment: Record<string, string>,
): Promise<number | string | undefined> {
  const store = openStore(`rest:${address}`, { environment: { ...account, ...environment } });
  try {
    return await store.stat({ type: "config", name: "" }, never);
  } catch (error) {
    if (!(error instanceof BackstayError)) throw error;
    const shown = inspect(error, { depth: 8, showHidden: true });
    for (const secret of ["planted-secret", proxyPassword, encodeURIComponent(proxyPassword)])
      expect(shown).not.toContain(secret);
    return error.code;
  } finally {
    await store.close();
  }
}

function authoritiesFile(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

describe("a server with a certificate of its own", () => {
  const at = (port: number): string => `https://127.0.0.1:${port}/`;

  it("is believed by its pin, whatever its certificate says", async () => {
    const { port, pin } = server;
    expect(await look(at(port), { BACKSTAY_REST_PINS: pin })).toBe(5);
    const standard = pin.replaceAll("-", "+").replaceAll("_", "/");
    const several = `${elsewhere.pin}, ${standard}=`;
    expect(await look(at(port), { BACKSTAY_REST_PINS: several })).toBe(5);
    expect(await look(at(elsewhere.port), { BACKSTAY_REST_PINS: elsewhere.pin })).toBe(5);
  });
  it("gets no request, and no account, if its pin is another", async () => {
    expect(await look(at(server.port), { BACKSTAY_REST_PINS: elsewhere.pin })).toBe(
      "STORE_UNTRUSTED",
    );
    expect(asked).toEqual([]);
  });
  it("is believed by an authority that was named, for its own name and while it is valid", async () => {
    const own = authoritiesFile("own.pem", server.certificate);
    const expired = authoritiesFile("expired.pem", elsewhere.certificate);
    expect(await look(at(server.port), { RESTIC_CACERT: own })).toBe(5);
    asked.length = 0;
    expect(await look(at(server.port), {})).toBe("STORE_UNTRUSTED");
    expect(await look(at(server.port), { RESTIC_CACERT: expired })).toBe("STORE_UNTRUSTED");
    expect(await look(at(elsewhere.port), { RESTIC_CACERT: expired })).toBe("STORE_UNTRUSTED");
    expect(await look(at(server.port), { RESTIC_CACERT: path.join(folder, "none") })).toBe("USAGE");
    expect(asked).toEqual([]);
  });
  it("can't be pinned by what is no pin, or without TLS", () => {
    for (const [address, pins] of [
      [at(server.port), "sha256/short"],
      [at(server.port), server.pin.slice(7)],
      ["http://127.0.0.1/", server.pin],
    ] as const)
      expect(() =>
        openStore(`rest:${address}`, { environment: { BACKSTAY_REST_PINS: pins } }),
      ).toThrow(expect.objectContaining({ code: "USAGE" }));
  });
});

describe("through a proxy", () => {
  let proxy: SmallProxy;
  let proxyAddress: string;
  beforeAll(async () => {
    proxy = await SmallProxy.start({ account: `me:${proxyPassword}` });
    proxyAddress = proxy.url.replace("//", `//me:${encodeURIComponent(proxyPassword)}@`);
  });
  afterAll(async () => await proxy.stop());
  beforeEach(() => {
    proxy.requests.length = 0;
  });
  const secure = (): string => `https://127.0.0.1:${server.port}/`;

  it("goes a tunnel, at whose end the server is judged as ever", async () => {
    const environment = { HTTPS_PROXY: proxyAddress };
    expect(await look(secure(), { ...environment, BACKSTAY_REST_PINS: server.pin })).toBe(5);
    expect(proxy.requests).toEqual([
      { text: `CONNECT 127.0.0.1:${server.port}`, isRefused: false },
    ]);
    const own = authoritiesFile("tunnel.pem", server.certificate);
    expect(await look(secure(), { ...environment, RESTIC_CACERT: own })).toBe(5);
    asked.length = 0;
    expect(await look(secure(), { ...environment, BACKSTAY_REST_PINS: elsewhere.pin })).toBe(
      "STORE_UNTRUSTED",
    );
    expect(await look(secure(), environment)).toBe("STORE_UNTRUSTED");
    expect(asked).toEqual([]);
  });
  it("goes plain HTTP too, and the server never sees the proxy's account", async () => {
    expect(await look(`http://127.0.0.1:${plainPort}/`, { http_proxy: proxyAddress })).toBe(5);
    expect(proxy.requests.length).toBe(1);
    expect(asked).toEqual([expect.stringMatching(/^HEAD .*config Basic /)]);
  });
  it("not for places that NO_PROXY names", async () => {
    const pinned = { BACKSTAY_REST_PINS: server.pin };
    for (const exempt of ["127.0.0.0/8", "*", `example.org,127.0.0.1:${server.port}`])
      expect(await look(secure(), { ...pinned, ALL_PROXY: proxyAddress, NO_PROXY: exempt })).toBe(
        5,
      );
    expect(proxy.requests).toEqual([]);
  });
  it("that refuses, or is not there, nothing goes past it", async () => {
    const pinned = { BACKSTAY_REST_PINS: server.pin };
    const wrong = proxyAddress.replace("//me:", "//you:");
    expect(await look(secure(), { ...pinned, HTTPS_PROXY: wrong })).toBe("STORE_DENIED");
    expect(proxy.requests).toEqual([expect.objectContaining({ isRefused: true })]);
    const unused = await makeServer(["localhost"]);
    await unused.stop();
    const gone = `http://127.0.0.1:${unused.port}`;
    expect(await look(secure(), { ...pinned, HTTPS_PROXY: gone })).toBe("STORE_UNAVAILABLE");
    expect(asked).toEqual([]);
  });
});
