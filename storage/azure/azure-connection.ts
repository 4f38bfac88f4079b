/**
 * The way to one container: the client library, loaded at the first request, with the account that is good now. An
 * account that ends is asked for before each request, and once more when Azure refuses it.
 */
import type { BlobServiceClient, ContainerClient } from "@azure/storage-blob";
import type { BackstayError, ErrorContext } from "../../protocol/backstay-error.ts";
import { redactor } from "../../protocol/redaction.ts";
import type { AccountSource, StorageAccount } from "../account-source.ts";
import {
  type AzureAccount,
  type AzureEnvironment,
  azureAccount,
  azureSecrets,
} from "./azure-address.ts";
import { azureError, isAccountRefused } from "./azure-errors.ts";
import { AzureHttpClient, type AzureHttpOptions } from "./azure-http-client.ts";
import { entraCredential } from "./entra-credential.ts";
import { EntraHttpClient } from "./entra-http-client.ts";

export interface AzureConnectionOptions extends AzureHttpOptions {
  readonly container: string;
  /** Gives the account in place of the environment's. */
  readonly accounts?: AccountSource | undefined;
}

interface OpenedAccount {
  /** Undefined: the environment's. */
  readonly account: StorageAccount | undefined;
  readonly client: BlobServiceClient;
  /** For `locks/`: another signature may give more rights there. */
  readonly locks: BlobServiceClient;
  readonly redact: (text: string) => string;
}

/** Names of the environment that an account of a source stands in for. */
const accountNames = ["AZURE_ACCOUNT_KEY", "AZURE_ACCOUNT_SAS", "BACKSTAY_AZURE_LOCKS_SAS"];

export class AzureConnection {
  readonly #options: AzureConnectionOptions;
  readonly #http: AzureHttpClient;
  #opened: Promise<OpenedAccount> | undefined;
  #account: StorageAccount | undefined;

  /** USAGE if the environment has to name an account and names none. */
  constructor(options: AzureConnectionOptions) {
    if (options.accounts === undefined) azureAccount(options.environment);
    this.#options = options;
    this.#http = new AzureHttpClient(options);
  }

  /**
   * What `act` does with the container, with its account, or with the container as the account for locks has it; `act` is
   * called again if the account was refused and there is another. Rejects with errors of the catalogue, or with the signal's
   * reason.
   */
  async call<T>(
    context: ErrorContext,
    signal: AbortSignal,
    act: (
      container: ContainerClient,
      account: BlobServiceClient,
      locks: ContainerClient,
    ) => Promise<T>,
  ): Promise<T> {
    const opened = await this.#open(signal);
    const { container } = this.#options;
    const actWith = async ({ client, locks }: OpenedAccount): Promise<T> =>
      await act(client.getContainerClient(container), client, locks.getContainerClient(container));
    try {
      return await actWith(opened);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (this.#options.accounts === undefined || !isAccountRefused(error))
        throw this.#error(error, context, opened);
      const next = await this.#open(signal, opened.account);
      if (next === opened) throw this.#error(error, context, opened);
      return await actWith(next).catch((again: unknown) => {
        throw signal.aborted ? signal.reason : this.#error(again, context, next);
      });
    }
  }

  /** What to throw for an error of reading what `call` gave. */
  failure(error: unknown, context: ErrorContext, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    return azureError(error, { place: this.#options.location, ...context }, () => "");
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  async #open(signal: AbortSignal, refused?: StorageAccount): Promise<OpenedAccount> {
    const { accounts } = this.#options;
    signal.throwIfAborted();
    const account = await accounts?.account(signal, refused);
    signal.throwIfAborted();
    if (this.#opened === undefined || account !== this.#account) {
      this.#account = account;
      this.#opened = this.#container(account);
    }
    return await this.#opened;
  }

  async #container(account: StorageAccount | undefined): Promise<OpenedAccount> {
    const given = Object.entries(this.#options.environment);
    const environment: AzureEnvironment =
      account === undefined
        ? this.#options.environment
        : {
            ...Object.fromEntries(given.filter(([name]) => !accountNames.includes(name))),
            ...account.settings,
          };
    const { endpoint, proof } = azureAccount(environment);
    const client = await this.#client(endpoint, proof, environment);
    const signature = environment["BACKSTAY_AZURE_LOCKS_SAS"] ?? "";
    const locks =
      signature === "" || proof.kind !== "signature"
        ? client
        : await this.#client(endpoint, { kind: "signature", signature }, environment);
    return { account, client, locks, redact: redactor(azureSecrets(environment)) };
  }

  async #client(
    endpoint: string,
    proof: AzureAccount["proof"],
    environment: AzureEnvironment,
  ): Promise<BlobServiceClient> {
    const blobs = await import("@azure/storage-blob");
    const pipeline = { httpClient: this.#http, retryOptions: { maxTries: 1 } };
    if (proof.kind === "signature")
      return new blobs.BlobServiceClient(`${endpoint}/?${proof.signature}`, undefined, pipeline);
    if (proof.kind === "key") {
      const { accountName, key } = proof;
      const credential = new blobs.StorageSharedKeyCredential(accountName, key);
      return new blobs.BlobServiceClient(endpoint, credential, pipeline);
    }
    const credential = await entraCredential(environment, new EntraHttpClient(this.#http));
    return new blobs.BlobServiceClient(endpoint, credential, pipeline);
  }

  #error(error: unknown, context: ErrorContext, { redact }: OpenedAccount): BackstayError {
    return azureError(error, { place: this.#options.location, ...context }, redact);
  }
}
