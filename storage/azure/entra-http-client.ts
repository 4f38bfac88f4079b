/** The requests of Azure's identity library, over the same transport as those of its storage library. */
import type { TokenCredentialOptions } from "@azure/identity";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { HttpAnswer } from "../http/http-transport.ts";
import { type AzureHttpClient, textOf } from "./azure-http-client.ts";

export type EntraHttp = NonNullable<TokenCredentialOptions["httpClient"]>;
type EntraRequest = Parameters<EntraHttp["sendRequest"]>[0];
type EntraAnswer = Awaited<ReturnType<EntraHttp["sendRequest"]>>;
type EntraHeaders = EntraAnswer["headers"];

const problem = "Entra ID gives no token now";

/** Not counted: nobody is charged for them. */
export class EntraHttpClient implements EntraHttp {
  readonly #http: AzureHttpClient;
  /** Of the last request, which the library hides behind its own: no answer, or one that says "later". */
  failure: BackstayError | undefined;

  constructor(http: AzureHttpClient) {
    this.#http = http;
  }

  /** For the library: rejects as the transport does. */
  async sendRequest(request: EntraRequest): Promise<EntraAnswer> {
    const { method, url, body, abortSignal, timeout } = request;
    const signals = [
      ...(abortSignal === undefined ? [] : [abortSignal as AbortSignal]),
      ...(timeout > 0 ? [AbortSignal.timeout(timeout)] : []),
    ];
    const sent = {
      method,
      url,
      body,
      headers: request.headers.toJSON(),
      signal: signals.length === 0 ? undefined : AbortSignal.any(signals),
    };
    this.failure = undefined;
    try {
      return await this.#http.exchange(sent, async (answer) => {
        const { status } = answer;
        if (status >= 500 || status === 429)
          this.failure = new BackstayError("STORE_UNAVAILABLE", { problem, status });
        return { request, status, headers: new Headers(answer), bodyAsText: await textOf(answer) };
      });
    } catch (error) {
      if (isBackstayError(error)) this.failure = error;
      throw error;
    }
  }
}

/** Headers in the library's own form. */
class Headers implements EntraHeaders {
  readonly #values: Map<string, string>;

  constructor(answer: HttpAnswer) {
    const names = Object.keys(answer.headers);
    this.#values = new Map(names.map((name) => [name, answer.header(name) ?? ""]));
  }

  get(name: string): string | undefined {
    return this.#values.get(name.toLowerCase());
  }

  has(name: string): boolean {
    return this.#values.has(name.toLowerCase());
  }

  set(name: string, value: string | number | boolean): void {
    this.#values.set(name.toLowerCase(), String(value));
  }

  delete(name: string): void {
    this.#values.delete(name.toLowerCase());
  }

  toJSON(): Record<string, string> {
    return Object.fromEntries(this.#values);
  }

  [Symbol.iterator](): Iterator<[string, string]> {
    return this.#values[Symbol.iterator]();
  }
}
