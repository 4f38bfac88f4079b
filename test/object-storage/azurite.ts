/** Azurite, Microsoft's emulator of Azure's storage, started for tests on a free port of this machine. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface AzuriteOptions {
  /** Where it keeps its blobs; in memory unless given. */
  readonly folder?: string;
  /** PEM files; it speaks https: then. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Takes tokens of Entra ID, of which it checks everything but the signature. Needs `tls`. */
  readonly takesTokens?: boolean;
  /** Name and key of its account in place of the published one. */
  readonly account?: { readonly name: string; readonly key: string };
  /** 0 unless given: any that is free. */
  readonly port?: number;
}

/** The account that every Azurite has, with its published key. */
export const azuriteAccount = "devstoreaccount1";
export const azuriteKey =
  "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

const program = fileURLToPath(import.meta.resolve("azurite/dist/src/blob/main.js"));

export class Azurite {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #scheme: string;

  private constructor(child: ChildProcess, scheme: string, port: number) {
    this.#child = child;
    this.#scheme = scheme;
    this.port = port;
  }

  /** Resolves when it listens. */
  static async start(options: AzuriteOptions = {}): Promise<Azurite> {
    const { folder, tls, account, takesTokens = false, port = 0 } = options;
    const args = [
      ...["--blobHost", "127.0.0.1", "--blobPort", String(port)],
      // The client library speaks a newer version of the protocol than the emulator knows.
      ...["--silent", "--disableTelemetry", "--skipApiVersionCheck"],
      ...(folder === undefined ? ["--inMemoryPersistence"] : ["--location", folder]),
      ...(tls === undefined ? [] : ["--cert", tls.certificate, "--key", tls.key]),
      ...(takesTokens ? ["--oauth", "basic"] : []),
    ];
    const child = spawn(process.execPath, [program, ...args], {
      env: {
        ...process.env,
        ...(account === undefined ? {} : { AZURITE_ACCOUNTS: `${account.name}:${account.key}` }),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    return new Azurite(child, tls === undefined ? "http" : "https", await listeningPort(child));
  }

  /** Of the account, for `BACKSTAY_AZURE_ENDPOINT`. */
  get endpoint(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}/${azuriteAccount}`;
  }

  /** An environment for `azure:` addresses. */
  get environment(): Record<string, string> {
    return {
      BACKSTAY_AZURE_ENDPOINT: this.endpoint,
      AZURE_ACCOUNT_NAME: azuriteAccount,
      AZURE_ACCOUNT_KEY: azuriteKey,
    };
  }

  /** Ends it and waits for its end; with `SIGKILL` it forgets what it has acknowledged. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.kill(signal);
    await exit;
  }
}

async function listeningPort(child: ChildProcess): Promise<number> {
  let said = "";
  return await new Promise((resolve, reject) => {
    const listen = (text: Buffer): void => {
      said = `${said}${text.toString()}`.slice(-4000);
      const [, port] = /successfully listens on https?:\/\/[\d.]+:(\d+)/.exec(said) ?? [];
      if (port !== undefined) resolve(Number(port));
    };
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", listen);
    child.once("exit", () => reject(new Error(`Azurite did not start: ${said}`)));
  });
}
