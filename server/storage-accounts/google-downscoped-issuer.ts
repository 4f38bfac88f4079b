/** Accounts for Google: a token of the server, changed into one that is bound to a machine's prefix. */
import { proxyFor } from "../../platform/proxy-choice.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { gcsProof } from "../../storage/gcs/gcs-address.ts";
import { googleClient } from "../../storage/gcs/google-client.ts";
import { HttpTransport } from "../../storage/http/http-transport.ts";
import { accessBoundary } from "./google-boundary.ts";
import { type AccountOrder, type IssuedAccount, ownPlace } from "./issued-account.ts";

const usualEndpoint = "https://sts.googleapis.com";
const silenceMs = 15_000;
const answerBytesMax = 64 * 1024;
/** What is made of a token ends with it, so one that ends soon is no longer used for that. */
const sourceLeftMsMin = 45 * 60_000;
const tokenMs = 3_600_000;
const sourcesMax = 1000;
const settingsOfPlace = ["BACKSTAY_GOOGLE_ENDPOINT", "STORAGE_EMULATOR_HOST"];

interface Source {
  readonly token: string;
  readonly expiresMs: number;
}

export class GoogleDownscopedIssuer {
  /** By the server's own account. */
  readonly #sources = new Map<string, Promise<Source>>();

  /** RESOURCE_INVALID or USAGE for what is no account, else errors of the library, or what the token service said. */
  async account(order: AccountOrder<"google-downscoped">): Promise<IssuedAccount> {
    const { address, own, nowMs } = order;
    const { bucket, prefix } = ownPlace(address);
    const source = await this.#source(own, nowMs);
    const accessBoundaryRules = accessBoundary(bucket, prefix);
    const form = new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
      subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
      subject_token: source.token,
      options: JSON.stringify({ accessBoundary: { accessBoundaryRules } }),
    });
    const { access_token: token, expires_in: leftSeconds } = await exchanged(form, order);
    if (token === undefined) throw new Error("the token service gave no token");
    const place = settingsOfPlace.flatMap((name) => {
      const value = own[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    return {
      settings: { ...Object.fromEntries(place), GOOGLE_ACCESS_TOKEN: token },
      // It may say nothing: then it lives as long as what it was made of.
      expiresMs: leftSeconds === undefined ? source.expiresMs : nowMs + leftSeconds * 1000,
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
  if (proof.kind === "token") return { token: proof.token, expiresMs: nowMs + tokenMs };
  if (proof.kind === "none")
    throw new BackstayError("RESOURCE_INVALID", {
      field: "issuer",
      problem: "an emulator has no tokens that could be bound to a prefix",
    });
  const client = await googleClient(proof, own);
  const { token } = await client.getAccessToken();
  if (typeof token !== "string") throw new Error("there is no token for the server's account");
  return { token, expiresMs: client.credentials.expiry_date ?? nowMs + tokenMs };
}

/** What the token service answers. Nothing of the form is in an error. */
async function exchanged(
  form: URLSearchParams,
  { own, address, signal }: AccountOrder<"google-downscoped">,
): Promise<{ readonly access_token?: string; readonly expires_in?: number }> {
  const url = new URL(own["BACKSTAY_GOOGLE_STS_ENDPOINT"] ?? usualEndpoint);
  const authorities = own["RESTIC_CACERT"] ?? "";
  const transport = new HttpTransport(
    {
      origin: url.origin,
      location: address,
      pins: [],
      authoritiesFile: authorities === "" ? undefined : authorities,
      proxy: proxyFor(url, own),
    },
    {
      silenceMs,
      refusalError: ({ status, text }, context) =>
        new BackstayError("STORE_DENIED", { ...context, status, problem: text.slice(0, 200) }),
    },
  );
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const body = [Buffer.from(form.toString())];
  try {
    return await transport.exchange(
      { method: "POST", path: "/v1/token", headers, body, context: {} },
      signal,
      async (answer) => {
        if (answer.status !== 200) throw await answer.refusal();
        const parts: Uint8Array[] = [];
        let bytes = 0;
        for await (const part of answer.body) {
          bytes += part.length;
          if (bytes > answerBytesMax) throw new Error("the token service's answer has no end");
          parts.push(part);
        }
        return JSON.parse(Buffer.concat(parts).toString("utf8")) as { access_token?: string };
      },
    );
  } finally {
    await transport.close();
  }
}
