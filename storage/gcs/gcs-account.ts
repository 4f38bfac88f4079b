/** The token that each request carries: got when it is needed, renewed before it ends and when it is refused. */
import type { AuthClient } from "google-auth-library";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { AccountSource, StorageAccount } from "../account-source.ts";
import { orAborted } from "../or-aborted.ts";
import type { GcsEnvironment, GcsProof } from "./gcs-address.ts";
import { googleClient, tokenError } from "./google-client.ts";

export class GcsAccount {
  readonly #proof: GcsProof;
  readonly #environment: GcsEnvironment;
  readonly #location: string;
  readonly #accounts: AccountSource | undefined;
  #given: StorageAccount | undefined;
  #client: Promise<AuthClient> | undefined;

  /** `accounts`, if there are any, take the place of `proof`. */
  constructor(
    proof: GcsProof,
    environment: GcsEnvironment,
    location: string,
    accounts: AccountSource | undefined,
  ) {
    this.#proof = proof;
    this.#environment = environment;
    this.#location = location;
    this.#accounts = accounts;
  }

  /**
   * A token that is good now; undefined: none is sent. `refused` is one that the storage has refused: another is got, or
   * the same comes again if there is no other. Rejects with STORE_UNAVAILABLE, STORE_DENIED, STORE_CLOCK or USAGE.
   */
  async token(signal: AbortSignal, refused?: string): Promise<string | undefined> {
    if (this.#accounts !== undefined)
      return await this.#givenToken(this.#accounts, signal, refused);
    const proof = this.#proof;
    if (proof.kind === "none") return undefined;
    if (proof.kind === "token") return proof.token;
    try {
      let token = await orAborted(this.#libraryToken(proof), signal);
      if (token === refused) {
        this.#client = undefined;
        token = await orAborted(this.#libraryToken(proof), signal);
      }
      return token;
    } catch (error) {
      throw signal.aborted ? signal.reason : tokenError(error, this.#location);
    }
  }

  async #givenToken(
    accounts: AccountSource,
    signal: AbortSignal,
    refused: string | undefined,
  ): Promise<string> {
    const wasRefused = refused !== undefined && tokenOf(this.#given) === refused;
    this.#given = await accounts.account(signal, wasRefused ? this.#given : undefined);
    const token = tokenOf(this.#given);
    if (token !== undefined && token !== "") return token;
    const problem = "the account that was given for it holds no token of Google";
    throw new BackstayError("STORE_DENIED", { place: this.#location, problem });
  }

  async #libraryToken(
    proof: Exclude<GcsProof, { kind: "token" | "none" }>,
  ): Promise<string | undefined> {
    this.#client ??= googleClient(proof, this.#environment);
    const client = await this.#client;
    const { token } = await client.getAccessToken();
    return token ?? undefined;
  }
}

function tokenOf(account: StorageAccount | undefined): string | undefined {
  return account?.settings["GOOGLE_ACCESS_TOKEN"];
}
