/** An `azure:` address and its settings, taken apart: which container, below which prefix, at which account, and who we are there. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { type PrefixedPlace, prefixedPlace } from "../prefixed-place.ts";

/** As `OpenStoreOptions.environment`. */
export type AzureEnvironment = Readonly<Record<string, string | undefined>>;

/** Who we are: by the account's key, by a signature that somebody with more rights has made, or by Entra ID. */
export type AzureProof =
  | { readonly kind: "key"; readonly accountName: string; readonly key: string }
  | { readonly kind: "signature"; readonly signature: string }
  | { readonly kind: "entra" };

export interface AzureAccount {
  /** `https://account.blob.core.windows.net`, without a slash at its end. */
  readonly endpoint: string;
  readonly proof: AzureProof;
}

const containerForm = /^(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*$/;
const accountForm = /^[a-z0-9]{3,24}$/;
const suffixForm = /^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/i;
const suffixUsual = "core.windows.net";

/** `place` is what follows `azure:`: `container:/prefix`. USAGE if it is none. */
export function azurePlace(place: string): PrefixedPlace {
  const found = prefixedPlace("azure", "container", place);
  if (!containerForm.test(found.container) && found.container !== "$root")
    throw usage("azure: a container has 3 to 63 of a-z, 0-9 and single hyphens");
  return found;
}

/** The account that the environment names. USAGE if it names none, or one that can't be. */
export function azureAccount(environment: AzureEnvironment): AzureAccount {
  const setting = (name: string): string => environment[name] ?? "";
  const accountName = setting("AZURE_ACCOUNT_NAME");
  const own = setting("BACKSTAY_AZURE_ENDPOINT");
  const endpoint =
    own === "" ? publicEndpoint(accountName, setting("AZURE_ENDPOINT_SUFFIX")) : ownEndpoint(own);
  const key = setting("AZURE_ACCOUNT_KEY");
  if (key !== "") {
    if (accountName === "") throw usage("AZURE_ACCOUNT_KEY is set, but AZURE_ACCOUNT_NAME is not");
    return { endpoint, proof: { kind: "key", accountName, key } };
  }
  const signature = setting("AZURE_ACCOUNT_SAS").replace(/^\?/, "");
  if (signature !== "") return { endpoint, proof: { kind: "signature", signature } };
  if (!endpoint.startsWith("https:"))
    throw usage("Entra ID gives its tokens to https: endpoints only");
  return { endpoint, proof: { kind: "entra" } };
}

/** What must never be shown: keys, signatures and passwords of `environment`, and their parts. */
export function azureSecrets(environment: AzureEnvironment): string[] {
  const signatures = ["AZURE_ACCOUNT_SAS", "BACKSTAY_AZURE_LOCKS_SAS"].flatMap((name) => {
    const signature = environment[name] ?? "";
    const sealed = new URLSearchParams(signature.replace(/^\?/, "")).get("sig") ?? "";
    return [signature, sealed, encodeURIComponent(sealed)];
  });
  const secrets = [environment["AZURE_ACCOUNT_KEY"], environment["AZURE_CLIENT_SECRET"]];
  return [...secrets, ...signatures].filter(
    (secret) => secret !== undefined && secret !== "",
  ) as string[];
}

function publicEndpoint(accountName: string, suffix: string): string {
  if (accountName === "") throw usage("AZURE_ACCOUNT_NAME is not set");
  if (!accountForm.test(accountName))
    throw usage("AZURE_ACCOUNT_NAME: an account has 3 to 24 of a-z and 0-9");
  const domain = suffix === "" ? suffixUsual : suffix;
  if (!suffixForm.test(domain)) throw usage("AZURE_ENDPOINT_SUFFIX is no domain");
  return `https://${accountName}.blob.${domain}`;
}

function ownEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw usage("BACKSTAY_AZURE_ENDPOINT is no http(s): address");
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
    throw usage("BACKSTAY_AZURE_ENDPOINT has no account, no ? and no #");
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}

function usage(problem: string): BackstayError {
  return new BackstayError("USAGE", { problem });
}
