/**
 * Who this machine is for Entra ID, in the order in which restic's default credential looks: a client's secret or
 * certificate, a token that the machine is given in a file, the machine's own (managed) identity.
 */
import type { ManagedIdentityCredentialClientIdOptions, TokenCredential } from "@azure/identity";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { AzureEnvironment } from "./azure-address.ts";
import type { EntraHttpClient } from "./entra-http-client.ts";

/**
 * Everything comes from `environment`, but for what managed identities of other hosts than machines need. Rejects with
 * errors of the catalogue when it is asked for a token.
 */
export async function entraCredential(
  environment: AzureEnvironment,
  httpClient: EntraHttpClient,
): Promise<TokenCredential> {
  const inner = await libraryCredential(environment, httpClient);
  return {
    getToken: async (scopes, options) => {
      try {
        return await inner.getToken(scopes, options);
      } catch (error) {
        throw (
          httpClient.failure ?? tokenError(error, (environment["AZURE_TENANT_ID"] ?? "") !== "")
        );
      }
    },
  };
}

/** Without the library's own words: they may repeat what was sent. */
function tokenError(error: unknown, isNamed: boolean): BackstayError {
  const [word] = /AADSTS\d+/.exec(error instanceof Error ? error.message : "") ?? [];
  const problem = isNamed
    ? "Entra ID gives no token to the client that the environment names"
    : "the environment names no key, no signature and no client of Entra ID, and this machine has no identity in Azure";
  return new BackstayError("STORE_DENIED", {
    problem,
    ...(word === undefined ? {} : { refusal: word }),
  });
}

/** Loads the library. */
async function libraryCredential(
  environment: AzureEnvironment,
  httpClient: EntraHttpClient,
): Promise<TokenCredential> {
  const identity = await import("@azure/identity");
  const setting = (name: string): string => environment[name] ?? "";
  const tenantId = setting("AZURE_TENANT_ID");
  const clientId = setting("AZURE_CLIENT_ID");
  const secret = setting("AZURE_CLIENT_SECRET");
  const certificatePath = setting("AZURE_CLIENT_CERTIFICATE_PATH");
  const tokenFilePath = setting("AZURE_FEDERATED_TOKEN_FILE");
  const authorityHost = setting("AZURE_AUTHORITY_HOST");
  const options = {
    httpClient,
    retryOptions: { maxRetries: 0 },
    ...(authorityHost === "" ? {} : { authorityHost, disableInstanceDiscovery: true }),
  };
  if (tenantId !== "" && clientId !== "") {
    if (secret !== "")
      return new identity.ClientSecretCredential(tenantId, clientId, secret, options);
    if (certificatePath !== "") {
      const certificatePassword = setting("AZURE_CLIENT_CERTIFICATE_PASSWORD");
      const certificate = {
        certificatePath,
        ...(certificatePassword === "" ? {} : { certificatePassword }),
      };
      return new identity.ClientCertificateCredential(tenantId, clientId, certificate, options);
    }
    if (tokenFilePath !== "")
      return new identity.WorkloadIdentityCredential({
        tenantId,
        clientId,
        tokenFilePath,
        ...options,
      });
  }
  const own: ManagedIdentityCredentialClientIdOptions = {
    httpClient,
    ...(clientId === "" ? {} : { clientId }),
  };
  return new identity.ManagedIdentityCredential(own);
}
