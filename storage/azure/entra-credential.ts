/**
 * Who this machine is for Entra ID, in the order in which restic's default credential looks: a client's secret or
 * certificate, a token that the machine is given in a file, the machine's own (managed) identity.
 */
import type { ManagedIdentityCredentialClientIdOptions, TokenCredential } from "@azure/identity";
import type { AzureEnvironment } from "./azure-address.ts";
import type { EntraHttp } from "./entra-http-client.ts";

/** Loads the library. Everything comes from `environment`, but for what managed identities of other hosts than machines need. */
export async function entraCredential(
  environment: AzureEnvironment,
  httpClient: EntraHttp,
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
