/**
 * Azurite as an account in Microsoft's cloud is reached: by its name, over TLS, on port 443, but with a private authority.
 * A proxy leads that name to this machine, so that restic and Backstay are given the same address and the same environment.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { makeTestAuthority } from "../identity/test-authority.ts";
import { SmallProxy } from "../network/small-proxy.ts";
import { Azurite } from "./azurite.ts";

/** Programs of old know Azurite's own account, and go elsewhere with it. */
const account = { name: "interopaccount", key: randomBytes(64).toString("base64") };
const host = `${account.name}.blob.core.windows.net`;

export class NamedAzurite {
  /** What the proxy was asked for. */
  readonly proxy: SmallProxy;
  readonly azurite: Azurite;
  readonly #folder: string;

  private constructor(folder: string, azurite: Azurite, proxy: SmallProxy) {
    this.#folder = folder;
    this.azurite = azurite;
    this.proxy = proxy;
  }

  static async start(): Promise<NamedAzurite> {
    const folder = mkdtempSync(path.join(tmpdir(), "backstay-named-azurite-"));
    const authority = makeTestAuthority();
    const { key, cert } = authority.certificateFor(`DNS:${host}`);
    const at = (name: string, text: string): string => {
      writeFileSync(path.join(folder, name), text);
      return path.join(folder, name);
    };
    at("authority.pem", authority.cert);
    const tls = { certificate: at("cert.pem", cert), key: at("key.pem", key) };
    const azurite = await Azurite.start({ tls, account });
    const proxy = await SmallProxy.start({
      resolve: (name) => (name === host ? { host: "127.0.0.1", port: azurite.port } : undefined),
    });
    return new NamedAzurite(folder, azurite, proxy);
  }

  /** For `azure:` addresses, of either program. */
  get environment(): Record<string, string> {
    return {
      AZURE_ACCOUNT_NAME: account.name,
      AZURE_ACCOUNT_KEY: account.key,
      RESTIC_CACERT: path.join(this.#folder, "authority.pem"),
      HTTPS_PROXY: this.proxy.url,
    };
  }

  /** For rclone, which calls the account `remote`. */
  rcloneEnvironment(remote: string): Record<string, string> {
    const setting = (name: string): string => `RCLONE_CONFIG_${remote.toUpperCase()}_${name}`;
    return {
      [setting("TYPE")]: "azureblob",
      [setting("ACCOUNT")]: account.name,
      [setting("KEY")]: account.key,
    };
  }

  async stop(): Promise<void> {
    await this.azurite.stop();
    await this.proxy.stop();
    rmSync(this.#folder, { recursive: true });
  }
}
