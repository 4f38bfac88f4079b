/** The way to an account: its own name over TLS with a private authority, through proxies, and with tokens of Entra ID. */
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { makeTestAuthority } from "../../test/identity/test-authority.ts";
import { SmallProxy } from "../../test/network/small-proxy.ts";
import { Azurite, azuriteAccount, azuriteKey } from "../../test/object-storage/azurite.ts";
import type { Handle, ObjectStore } from "../object-store.ts";
import { openAzureStore } from "./azure-store.ts";

const never = new AbortController().signal;
const suffix = "azure.test";
const host = `${azuriteAccount}.blob.${suffix}`;
const handle: Handle = { type: "keys", name: "ab".repeat(32) };
const proxyPassword = "pr0xy:p@ss";
const clientSecret = "planted/client+secret=";

let folder: string;
let azurite: Azurite;
let proxy: SmallProxy;
let entra: Server;
let entraRequests: string[];
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-azure-way-"));
  const authority = makeTestAuthority();
  const { key, cert } = authority.certificateFor(`DNS:${host},DNS:localhost,IP:127.0.0.1`);
  const at = (name: string, text: string): string => {
    writeFileSync(path.join(folder, name), text);
    return path.join(folder, name);
  };
  at("authority.pem", authority.cert);
  at("other.pem", makeTestAuthority().cert);
  const tls = { certificate: at("cert.pem", cert), key: at("key.pem", key) };
  azurite = await Azurite.start({ tls, takesTokens: true });
  proxy = await SmallProxy.start({
    account: `me:${proxyPassword}`,
    resolve: (name) => (name === host ? { host: "127.0.0.1", port: azurite.port } : undefined),
  });
  entra = await startEntra(key, cert);
});
afterAll(async () => {
  await azurite.stop();
  await proxy.stop();
  entra.closeAllConnections();
  await new Promise((resolve) => entra.close(resolve));
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  proxy.requests.length = 0;
  entraRequests = [];
});

/** A token as Entra's are, of which Azurite checks everything but the signature. */
function token(): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const nowSeconds = Math.floor(Date.now() / 1000);
  const claims = {
    aud: "https://storage.azure.com",
    iss: "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
    iat: nowSeconds - 60,
    nbf: nowSeconds - 60,
    exp: nowSeconds + 3600,
  };
  const signed = `${part({ typ: "JWT", alg: "ES256" })}.${part(claims)}`;
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return `${signed}.${sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
}

/** As much of Entra ID as a client with a secret needs. */
async function startEntra(key: string, cert: string): Promise<Server> {
  const server = createServer({ key, cert }, (request, response) => {
    let body = "";
    request.on("data", (part: Buffer) => {
      body += part.toString();
    });
    request.on("end", () => {
      entraRequests.push(`${request.method} ${request.url}`);
      const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}/tenant`;
      const isRight = new URLSearchParams(body).get("client_secret") === clientSecret;
      const say = (status: number, value: object): void => {
        response
          .writeHead(status, { "content-type": "application/json" })
          .end(JSON.stringify(value));
      };
      if (request.url?.includes("openid-configuration") === true)
        say(200, {
          token_endpoint: `${origin}/oauth2/v2.0/token`,
          authorization_endpoint: `${origin}/oauth2/v2.0/authorize`,
          issuer: `${origin}/v2.0`,
          jwks_uri: `${origin}/discovery/v2.0/keys`,
        });
      else if (isRight) say(200, { token_type: "Bearer", expires_in: 3599, access_token: token() });
      else
        say(401, {
          error: "invalid_client",
          error_description: `AADSTS7000215: the client secret is wrong: ${body}`,
        });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** Saves and loads; or the code of the error, which tells no secret. */
async function use(environment: Record<string, string>): Promise<string> {
  const store: ObjectStore = openAzureStore("the-way:/p", { environment });
  try {
    await store.create(never);
    await store.save(handle, Buffer.from("content"), never);
    return Buffer.from(await store.load(handle, undefined, never)).toString();
  } catch (error) {
    const shown = inspect(error, { depth: 8, showHidden: true }) + JSON.stringify(error);
    const secrets = [azuriteKey, proxyPassword, encodeURIComponent(proxyPassword), clientSecret];
    for (const secret of [...secrets, encodeURIComponent(clientSecret)])
      expect(shown).not.toContain(secret);
    if (!(error instanceof BackstayError)) throw error;
    return error.code;
  } finally {
    await store.close();
  }
}

function named(): Record<string, string> {
  return {
    AZURE_ACCOUNT_NAME: azuriteAccount,
    AZURE_ACCOUNT_KEY: azuriteKey,
    AZURE_ENDPOINT_SUFFIX: suffix,
    RESTIC_CACERT: path.join(folder, "authority.pem"),
    HTTPS_PROXY: proxy.url.replace("//", `//me:${encodeURIComponent(proxyPassword)}@`),
  };
}

describe("an account's own name", () => {
  it("is reached over TLS through a proxy with an account", async () => {
    expect(await use(named())).toBe("content");
    expect(new Set(proxy.requests.map(({ text }) => text))).toEqual(
      new Set([`CONNECT ${host}:443`]),
    );
  });
  it("is not believed of a server that the authorities do not know", async () => {
    expect(await use({ ...named(), RESTIC_CACERT: path.join(folder, "other.pem") })).toBe(
      "STORE_UNTRUSTED",
    );
  });
  it("is not reached with a wrong account of the proxy", async () => {
    expect(await use({ ...named(), HTTPS_PROXY: proxy.url })).toBe("STORE_DENIED");
  });
  it("that nobody knows may be reached later", async () => {
    const { HTTPS_PROXY: _proxy, ...direct } = named();
    expect(await use({ ...direct, AZURE_ENDPOINT_SUFFIX: "nowhere.invalid" })).toBe(
      "STORE_UNAVAILABLE",
    );
  });
});

describe("Entra ID", () => {
  const client = (): Record<string, string> => ({
    BACKSTAY_AZURE_ENDPOINT: azurite.endpoint,
    RESTIC_CACERT: path.join(folder, "authority.pem"),
    AZURE_AUTHORITY_HOST: `https://127.0.0.1:${(entra.address() as AddressInfo).port}`,
    AZURE_TENANT_ID: "tenant",
    AZURE_CLIENT_ID: "client",
    AZURE_CLIENT_SECRET: clientSecret,
  });
  it("gives a client with a secret a token, once for many requests", async () => {
    expect(await use(client())).toBe("content");
    expect(entraRequests.filter((line) => line.startsWith("POST"))).toHaveLength(1);
  });
  it("refuses a wrong secret, which is told without it", async () => {
    expect(await use({ ...client(), AZURE_CLIENT_SECRET: `${clientSecret}-wrong` })).toBe(
      "STORE_DENIED",
    );
  });
  it("that is not the right server gets no secret", async () => {
    expect(await use({ ...client(), RESTIC_CACERT: path.join(folder, "other.pem") })).toBe(
      "STORE_UNTRUSTED",
    );
    expect(entraRequests).toEqual([]);
  });
  it("that is away may be asked later", async () => {
    const { port } = entra.address() as AddressInfo;
    const away = client()["AZURE_AUTHORITY_HOST"]?.replace(String(port), "1") ?? "";
    expect(await use({ ...client(), AZURE_AUTHORITY_HOST: away })).toBe("STORE_UNAVAILABLE");
  });
});
