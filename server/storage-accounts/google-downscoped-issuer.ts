/** Accounts for Google: a token of the server, changed into one that is bound to a machine's prefix. */
import type { AuthClient } from "google-auth-library";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { gcsProof } from "../../storage/gcs/gcs-address.ts";
import { googleClient } from "../../storage/gcs/google-client.ts";
import { accessBoundary } from "./google-boundary.ts";
import { type AccountOrder, type IssuedAccount, ownPlace } from "./issued-account.ts";

const usualEndpoint = "https://sts.googleapis.com";
/** What is made of a token ends with it, so a token that ends soon is no longer used for that. */
const sourceLeftMsMin = 45 * 60_000;
const sourcesMax = 1000;
const settingsOfPlace = ["BACKSTAY_GOOGLE_ENDPOINT", "STORAGE_EMULATOR_HOST"];

interface Source {
  readonly client: AuthClient;
  readonly token: string;
  readonly expiresMs: number;
}

export class GoogleDownscopedIssuer {
  /** By the server's own account. */
  readonly #sources = new Map<string, Promise<Source>>();

  /** RESOURCE_INVALID or USAGE for what is no account, else the client's own errors. */
  async account({
    address,
    own,
    nowMs,
    signal,
  }: AccountOrder<"google-downscoped">): Promise<IssuedAccount> {
    const { bucket, prefix } = ownPlace(address);
    const { client, token, expiresMs } = await this.#source(own, nowMs);
    const endpoint = own["BACKSTAY_GOOGLE_STS_ENDPOINT"] ?? usualEndpoint;
    const accessBoundaryRules = accessBoundary(bucket, prefix);
    const { data } = await client.transporter.request<{
      access_token?: string;
      expires_in?: number;
    }>({
      url: `${endpoint}/v1/token`,
      method: "POST",
      data: new URLSearchParams({
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
        subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
        subject_token: token,
        options: JSON.stringify({ accessBoundary: { accessBoundaryRules } }),
      }),
      signal,
    });
    const { access_token: downscoped, expires_in: leftSeconds } = data;
    if (downscoped === undefined) throw new Error("the token service gave no token");
    const place = settingsOfPlace.flatMap((name) => {
      const value = own[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    return {
      settings: { ...Object.fromEntries(place), GOOGLE_ACCESS_TOKEN: downscoped },
      // It may say nothing: then it lives as long as what it was made of.
      expiresMs: leftSeconds === undefined ? expiresMs : nowMs + leftSeconds * 1000,
    };
  }

  async #source(own: AccountOrder["own"], nowMs: number): Promise<Source> {
    const name = JSON.stringify(own);
    const known = await this.#sources.get(name)?.catch(() => undefined);
    if (known !== undefined && known.expiresMs - nowMs > sourceLeftMsMin) return known;
    const made = newSource(own, nowMs);
    const [oldest] = this.#sources.keys();
    if (this.#sources.size >= sourcesMax && oldest !== undefined) this.#sources.delete(oldest);
    this.#sources.set(name, made);
    return await made;
  }
}

async function newSource(own: AccountOrder["own"], nowMs: number): Promise<Source> {
  const proof = gcsProof(own);
  if (proof.kind === "token" || proof.kind === "none")
    throw new BackstayError("RESOURCE_INVALID", {
      field: "issuer",
      problem: "the server's account is a credential document in BACKSTAY_GOOGLE_CREDENTIALS",
    });
  const client = await googleClient(proof, own);
  const { token } = await client.getAccessToken();
  if (typeof token !== "string") throw new Error("there is no token for the server's account");
  return { client, token, expiresMs: client.credentials.expiry_date ?? nowMs + sourceLeftMsMin };
}
