/** Accounts for Azure: shared access signatures for one machine's container or directory. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { type AzureAccount, azureAccount } from "../../storage/azure/azure-address.ts";
import { AzureHttpClient } from "../../storage/azure/azure-http-client.ts";
import { entraCredential } from "../../storage/azure/entra-credential.ts";
import { EntraHttpClient } from "../../storage/azure/entra-http-client.ts";
import { azureSignature, type SignatureOrder, type SigningKey } from "./azure-signature.ts";
import { type AccountOrder, type IssuedAccount, ownPlace } from "./issued-account.ts";

/** Create, read, list. `w`, because blocks want it: what stands can be written over, so versions must be kept. */
const permissions = "rcwl";
/** Locks have to go. */
const permissionsWithRemoval = "rcwdl";
/** Clocks differ. */
const startedBeforeMs = 15 * 60_000;
const lentKeyMs = 6 * 86_400_000;
const lentKeysMax = 1000;
const settingsOfPlace = ["AZURE_ACCOUNT_NAME", "AZURE_ENDPOINT_SUFFIX", "BACKSTAY_AZURE_ENDPOINT"];

interface LentKey {
  readonly key: SigningKey;
  readonly untilMs: number;
}

export class AzureSasIssuer {
  /** By the server's own account: one question to Azure for all machines, in days. */
  readonly #lent = new Map<string, LentKey>();

  /**
   * Signs. Asks Azure only for a key that Entra ID lends, and for the machine's container, which is made if it is not
   * there. RESOURCE_INVALID or USAGE for what is no account, else the client's own errors.
   */
  async account(order: AccountOrder<"azure-sas">): Promise<IssuedAccount> {
    const { issuer, address, own, nowMs } = order;
    const account = azureAccount(own);
    const { bucket: container, prefix } = ownPlace(address);
    const accountName = own["AZURE_ACCOUNT_NAME"] ?? "";
    const key = await this.#key(order, account);
    if (!issuer.hierarchical)
      await withContainers(order, account, async (blobs) => {
        await blobs.getContainerClient(container).createIfNotExists({ abortSignal: order.signal });
      });
    const expiresMs = nowMs + issuer.durationSeconds * 1000;
    const common = {
      accountName,
      container,
      startMs: nowMs - startedBeforeMs,
      expiresMs,
      withPlainHttp: account.endpoint.startsWith("http:"),
    };
    const locking = issuer.mayLock === true ? "i" : "";
    const sign = (rest: Pick<SignatureOrder, "directory" | "permissions">): string =>
      azureSignature({ ...common, ...rest }, key);
    const place = settingsOfPlace.flatMap((name) => {
      const value = own[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    return {
      settings: {
        ...Object.fromEntries(place),
        ...(issuer.hierarchical
          ? {
              AZURE_ACCOUNT_SAS: sign({ directory: prefix, permissions: permissions + locking }),
              BACKSTAY_AZURE_LOCKS_SAS: sign({
                directory: `${prefix}/locks`,
                permissions: permissionsWithRemoval,
              }),
            }
          : {
              AZURE_ACCOUNT_SAS: sign({
                directory: undefined,
                permissions: permissionsWithRemoval + locking,
              }),
            }),
      },
      expiresMs,
    };
  }

  async #key(order: AccountOrder<"azure-sas">, account: AzureAccount): Promise<SigningKey> {
    const { own, nowMs, issuer, signal } = order;
    const { proof } = account;
    if (proof.kind === "key") return { kind: "account", key: proof.key };
    if (proof.kind === "signature")
      throw new BackstayError("RESOURCE_INVALID", {
        field: "issuer",
        problem: "a shared access signature can't sign others: give a key, or an Entra identity",
      });
    const name = JSON.stringify(own);
    const known = this.#lent.get(name);
    if (known !== undefined && known.untilMs > nowMs + issuer.durationSeconds * 1000)
      return known.key;
    const startMs = nowMs - startedBeforeMs;
    const untilMs = nowMs + lentKeyMs;
    const lent = await withContainers(
      order,
      account,
      async (blobs) =>
        await blobs.getUserDelegationKey(new Date(startMs), new Date(untilMs), {
          abortSignal: signal,
        }),
    );
    const key: SigningKey = {
      kind: "delegated",
      key: lent.value,
      objectId: lent.signedObjectId,
      tenantId: lent.signedTenantId,
      start: lent.signedStartsOn.toISOString().replace(/\.\d+Z$/, "Z"),
      end: lent.signedExpiresOn.toISOString().replace(/\.\d+Z$/, "Z"),
      service: lent.signedService,
      version: lent.signedVersion,
    };
    const [oldest] = this.#lent.keys();
    if (this.#lent.size >= lentKeysMax && oldest !== undefined) this.#lent.delete(oldest);
    this.#lent.set(name, { key, untilMs });
    return key;
  }
}

type BlobService = InstanceType<typeof import("@azure/storage-blob")["BlobServiceClient"]>;

/** The server's own account at work. */
async function withContainers<T>(
  { own, address }: Pick<AccountOrder, "own" | "address">,
  { endpoint, proof }: AzureAccount,
  act: (blobs: BlobService) => Promise<T>,
): Promise<T> {
  const library = await import("@azure/storage-blob");
  const http = new AzureHttpClient({ location: address, environment: own });
  const pipeline = { httpClient: http, retryOptions: { maxTries: 1 } };
  const credential =
    proof.kind === "key"
      ? new library.StorageSharedKeyCredential(proof.accountName, proof.key)
      : await entraCredential(own, new EntraHttpClient(http));
  try {
    return await act(new library.BlobServiceClient(endpoint, credential, pipeline));
  } finally {
    await http.close();
  }
}
