/**
 * The fake under Google's own names: whoever takes `environment` reaches it at `https://storage.googleapis.com` and
 * `https://oauth2.googleapis.com`, through a proxy with an account, trusting an authority of its own. So programs are
 * tested that can't be told another endpoint.
 */
import { createPrivateKey } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { makeCertificate, makeCertificateKey } from "../../../server/serve/own-certificate.ts";
import { newMemoryFolder } from "../../memory-folder.ts";
import { SmallProxy } from "../../network/small-proxy.ts";
import { FakeGoogle } from "./fake-google.ts";

const names = ["storage.googleapis.com", "oauth2.googleapis.com", "sts.googleapis.com"];
const account = { user: "proxy-user", password: "pr0xy-secret" };

export class GoogleByProxy {
  readonly fake: FakeGoogle;
  readonly proxy: SmallProxy;
  /** A proxy, an authority and a service account; restic and Backstay take the same. */
  readonly environment: Readonly<Record<string, string>>;
  /** The JSON document of the service account. */
  readonly credentials: string;
  readonly #folder: string;

  private constructor(fake: FakeGoogle, proxy: SmallProxy, folder: string) {
    this.fake = fake;
    this.proxy = proxy;
    this.#folder = folder;
    this.credentials = JSON.stringify(fake.tokens.serviceAccount());
    const file = path.join(folder, "credentials.json");
    writeFileSync(file, this.credentials, { mode: 0o600 });
    const { host } = new URL(proxy.url);
    this.environment = {
      HTTPS_PROXY: `http://${account.user}:${account.password}@${host}`,
      RESTIC_CACERT: path.join(folder, "authority.pem"),
      GOOGLE_APPLICATION_CREDENTIALS: file,
      GOOGLE_PROJECT_ID: "fake-project",
    };
  }

  static async start(): Promise<GoogleByProxy> {
    const folder = newMemoryFolder("backstay-google-");
    const key = makeCertificateKey();
    const cert = makeCertificate(createPrivateKey(key), names, Date.now());
    writeFileSync(path.join(folder, "authority.pem"), cert);
    const fake = await FakeGoogle.start({ wantsTokens: true, tls: { key, cert } });
    const proxy = await SmallProxy.start({
      account: `${account.user}:${account.password}`,
      resolve: (host) =>
        names.includes(host) ? { host: "127.0.0.1", port: fake.port } : undefined,
    });
    return new GoogleByProxy(fake, proxy, folder);
  }

  async stop(): Promise<void> {
    await this.proxy.stop();
    await this.fake.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
