/**
 * Requests to one S3 server with the account that is good at the moment. Nothing is tried again here but what a correction
 * helps at once: the clock, the region, an account that has ended. Loads the client at the first request.
 */
import type {
  $Command,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes,
} from "@aws-sdk/client-s3";
import { BackstayError, type ErrorContext } from "../../protocol/backstay-error.ts";
import { redactor } from "../../protocol/redaction.ts";
import type { AccountSource, StorageAccount } from "../account-source.ts";
import type { RequestCounts } from "../request-counts.ts";
import { environmentAccounts, keysOf } from "./s3-accounts.ts";
import { refuseSnow, type S3Environment, type S3Place } from "./s3-address.ts";
import { isAccountRefusal, refusalOf, regionToldBy, type S3Refusal, s3Error } from "./s3-errors.ts";
import { S3HttpHandler } from "./s3-http-handler.ts";

/** The client's library. */
export type S3Library = typeof import("@aws-sdk/client-s3");
type S3Client = InstanceType<S3Library["S3Client"]>;
type S3Command<Input extends ServiceInputTypes, Output extends ServiceOutputTypes> = $Command<
  Input,
  Output,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes
>;

export interface S3ConnectionOptions {
  readonly environment: S3Environment;
  /** In place of the environment's account. */
  readonly accounts?: AccountSource | undefined;
  readonly counts?: RequestCounts | undefined;
  /** So long nothing may move in a request before it is given up, ms; 2 minutes unless given. */
  readonly silenceMs?: number | undefined;
}

interface OpenClient {
  readonly library: S3Library;
  readonly client: S3Client;
}

type Correction = "clock" | "region" | "account";

const silenceMsUsual = 120_000;

export class S3Connection {
  readonly place: S3Place;
  readonly #options: S3ConnectionOptions;
  readonly #handler: S3HttpHandler;
  #region: string;
  #accounts: Promise<AccountSource | undefined> | undefined;
  #account: StorageAccount | undefined;
  #client: Promise<OpenClient> | undefined;

  constructor(place: S3Place, options: S3ConnectionOptions) {
    this.place = place;
    this.#options = options;
    this.#region = place.region;
    const { silenceMs = silenceMsUsual, counts } = options;
    this.#handler = new S3HttpHandler(place, silenceMs, counts);
  }

  /**
   * Sends what `make` makes, again after a correction. Rejects with errors of the catalogue, whose context begins with
   * `facts`, or with the signal's reason.
   */
  async send<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    make: (library: S3Library) => S3Command<Input, Output>,
    facts: ErrorContext,
    signal: AbortSignal,
  ): Promise<Output> {
    const tried = new Set<Correction>();
    for (;;) {
      const { output, error, correction } = await this.#try(make, signal);
      if (output !== undefined) return output;
      if (correction === undefined || tried.has(correction))
        throw this.failure(error, facts, signal);
      tried.add(correction);
    }
  }

  /**
   * As `send`, for a body that can be read only once: nothing is tried again here, but where a correction has been found
   * the error is one that may pass.
   */
  async sendOnce<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    make: (library: S3Library) => S3Command<Input, Output>,
    facts: ErrorContext,
    signal: AbortSignal,
  ): Promise<Output> {
    const { output, error, correction } = await this.#try(make, signal);
    if (output !== undefined) return output;
    if (correction === undefined) throw this.failure(error, facts, signal);
    const problem = "the clock, the region or the account was not the right one any more";
    throw new BackstayError("STORE_UNAVAILABLE", { ...this.#context(facts), problem });
  }

  /** One attempt: its output, or its error and what may put it right. Rejects with the signal's reason. */
  async #try<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    make: (library: S3Library) => S3Command<Input, Output>,
    signal: AbortSignal,
  ): Promise<{
    readonly output?: Output;
    readonly error?: unknown;
    readonly correction?: Correction | undefined;
  }> {
    signal.throwIfAborted();
    const account = await this.#currentAccount(signal);
    try {
      const { library, client } = await this.#opened();
      return { output: await client.send(make(library), { abortSignal: signal }) };
    } catch (error) {
      signal.throwIfAborted();
      return { error, correction: await this.#correction(error, account, signal) };
    }
  }

  /** What to throw for an error of a request, or of reading its answer. */
  failure(error: unknown, facts: ErrorContext, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    const { AWS_SECRET_ACCESS_KEY: secret = "", AWS_SESSION_TOKEN: token = "" } =
      this.#account?.settings ?? {};
    return s3Error(error, this.#context(facts), redactor([secret, token]));
  }

  async close(): Promise<void> {
    const open = await this.#client?.catch(() => undefined);
    open?.client.destroy();
    await this.#handler.close();
  }

  #context(facts: ErrorContext): ErrorContext {
    return { place: this.place.location, ...facts };
  }

  /** Undefined: the account of the machine itself, which the client finds. */
  async #currentAccount(signal: AbortSignal): Promise<StorageAccount | undefined> {
    const { accounts, environment } = this.#options;
    this.#accounts ??=
      accounts === undefined ? environmentAccounts(environment) : Promise.resolve(accounts);
    const source = await this.#accounts;
    this.#account = await source?.account(signal);
    return this.#account;
  }

  /** What has been put right after a refusal, so that the same request may succeed now. */
  async #correction(
    error: unknown,
    account: StorageAccount | undefined,
    signal: AbortSignal,
  ): Promise<Correction | undefined> {
    const refusal = refusalOf(error);
    if (refusal === undefined) return undefined;
    // The client has taken the server's time from the answer.
    if (refusal.name === "RequestTimeTooSkewed" || refusal.clockCorrected) return "clock";
    const region = regionToldBy(refusal);
    if (region !== undefined && region !== this.#region) {
      refuseSnow(region);
      this.#region = region;
      this.#client = undefined;
      return "region";
    }
    return account !== undefined &&
      hasEnded(refusal, account) &&
      (await this.#renew(account, signal))
      ? "account"
      : undefined;
  }

  /** True if there is another account now. */
  async #renew(refused: StorageAccount, signal: AbortSignal): Promise<boolean> {
    const source = await this.#accounts;
    const next = await source?.account(signal, refused);
    if (next === undefined) return false;
    const names = new Set([...Object.keys(next.settings), ...Object.keys(refused.settings)]);
    return [...names].some((name) => next.settings[name] !== refused.settings[name]);
  }

  async #opened(): Promise<OpenClient> {
    this.#client ??= this.#open();
    return await this.#client;
  }

  async #open(): Promise<OpenClient> {
    const library = await import("@aws-sdk/client-s3");
    const { vendor, origin, virtualHost } = this.place;
    const source = await this.#accounts;
    const client = new library.S3Client({
      region: this.#region,
      ...(!vendor.hostOfRegion && { endpoint: origin }),
      forcePathStyle: !virtualHost,
      // Asked anew for each request: an identity that has ended is not kept.
      ...(source !== undefined && {
        credentials: async () => ({ ...this.#keys(), expiration: new Date(0) }),
      }),
      requestHandler: this.#handler,
      maxAttempts: 1,
      retryMode: "standard",
      defaultsMode: "standard",
      requestChecksumCalculation: vendor.keepsHashes ? "WHEN_SUPPORTED" : "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      expectContinueHeader: false,
      followRegionRedirects: false,
      disableS3ExpressSessionAuth: true,
      disableMultiregionAccessPoints: true,
      useArnRegion: false,
      useDualstackEndpoint: false,
      useFipsEndpoint: false,
      logger: silent,
    });
    return { library, client };
  }

  #keys(): { accessKeyId: string; secretAccessKey: string; sessionToken?: string } {
    if (this.#account === undefined) throw new BackstayError("STORE_DENIED", {});
    const { sessionToken, ...keys } = keysOf(this.#account);
    return { ...keys, ...(sessionToken !== undefined && { sessionToken }) };
  }
}

/** Some servers say only "denied" to an account that has ended, or has been taken back. */
function hasEnded(refusal: S3Refusal, account: StorageAccount): boolean {
  if (isAccountRefusal(refusal)) return true;
  const { status, name } = refusal;
  if (status !== 403 || (name !== "" && name !== "AccessDenied")) return false;
  const { expiresMs } = account;
  const saidMs = Date.parse(refusal.header("date") ?? "");
  return expiresMs === undefined || (Number.isNaN(saidMs) ? Date.now() : saidMs) >= expiresMs;
}

const silent = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
