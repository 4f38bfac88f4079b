/**
 * A store behind restic's REST protocol, version 2: our own gateway, restic's rest-server, `rclone serve restic`.
 *
 * Objects of Backstay's own (`backstay`) are known to our gateway only, which names itself in each answer. Elsewhere
 * there are none, and saving one is refused.
 */
import { BackstayError } from "../../protocol/backstay-error.ts";
import {
  gatewayHeader,
  gatewayWords,
  lockHeader,
  lockRuleText,
} from "../../protocol/gateway-locks.ts";
import { redactor } from "../../protocol/redaction.ts";
import { assertFileType, assertHandle, assertLoad, isFileName } from "../handle-name.ts";
import { countedAnswer } from "../http/counted-answer.ts";
import { isSame, rangeHeader, readRange, readWhole } from "../http/http-body.ts";
import { type HttpAnswer, type HttpRequest, HttpTransport } from "../http/http-transport.ts";
import {
  type ByteRange,
  type FileType,
  type Handle,
  handlePath,
  type ObjectStore,
  type RetentionLocks,
  type StoreCapabilities,
  type StoredFile,
} from "../object-store.ts";
import type { RequestCounts, RequestKind } from "../request-counts.ts";
import type { RetentionRule } from "../retention-lock.ts";
import type { RestPlace } from "./rest-address.ts";
import { refusalError } from "./rest-errors.ts";
import { entriesOf, nameAndSize } from "./rest-list.ts";
import { RestRetentionLocks } from "./rest-retention-locks.ts";

/** As restic. */
const connectionsLiked = 5;
const listMediaType = "application/vnd.x.restic.rest.v2";
/** What a foreign server may say to a type that it does not know. */
const foreignStatuses = new Set([200, 201, 204, 206, 400, 404, 405, 501]);

/** A list is told apart by hand. */
const kindOf: Readonly<Record<HttpRequest["method"], RequestKind>> = {
  GET: "get",
  HEAD: "head",
  POST: "put",
  PUT: "put",
  PATCH: "put",
  DELETE: "delete",
};

const config: Handle = { type: "config", name: "" };

export interface RestStoreOptions {
  /** So long nothing may move in a request, ms; 2 minutes unless given. */
  readonly silenceMs?: number;
  /** Where its requests are counted. */
  readonly counts?: RequestCounts | undefined;
  /** How new objects are locked: by our own gateway only, where it may. */
  readonly retention?: RetentionRule | undefined;
}

export class RestStore implements ObjectStore {
  readonly location: string;
  readonly #place: RestPlace;
  readonly #transport: HttpTransport;
  readonly #counts: RequestCounts | undefined;
  readonly #retention: RetentionRule | undefined;
  readonly #locks: RetentionLocks;
  /** Undefined until the server has said it. */
  #keepsLocks: boolean | undefined;
  #wasSeen = false;
  #isAtomic = true;
  #keepsOwn = true;

  constructor(place: RestPlace, options: RestStoreOptions = {}) {
    this.location = place.location;
    this.#place = place;
    this.#counts = options.counts;
    this.#retention = options.retention;
    this.#locks = new RestRetentionLocks(
      async (method, handle, headers, signal, use) => {
        const request = this.#request(method, targetOf(handle), {
          headers,
          file: handlePath(handle),
        });
        return await this.#exchange(request, signal, use);
      },
      options.retention?.mode ?? "governance",
      async (handle, signal) => await this.#requireLocks(handle, signal),
    );
    const redact = redactor(place.secrets);
    this.#transport = new HttpTransport(place, {
      silenceMs: options.silenceMs,
      refusalError: (refusal, context) => refusalError(refusal, context, redact),
    });
  }

  get capabilities(): StoreCapabilities {
    return {
      connections: connectionsLiked,
      atomicCreate: this.#isAtomic,
      ownObjects: this.#keepsOwn,
    };
  }

  get retentionLocks(): RetentionLocks | undefined {
    return this.#keepsLocks === false ? undefined : this.#locks;
  }

  async create(signal: AbortSignal): Promise<void> {
    const request = this.#request("POST", "?create=true", { body: new Uint8Array(0) });
    await this.#exchange(request, signal, async (answer) => {
      if (isSuccess(answer)) return;
      throw answer.status === 404 ? this.#missing() : await answer.refusal();
    });
  }

  /** Of the type `config` a file is looked for first: some servers overwrite. All other names are those of their content. */
  async save(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<void> {
    assertHandle(handle);
    signal.throwIfAborted();
    const file = handlePath(handle);
    if (handle.type === "config" && (await this.#holds(handle, data, signal))) return;
    const headers = await this.#lockHeaders(handle, signal);
    const request = this.#request("POST", targetOf(handle), { body: data, headers, file });
    const refusal = await this.#exchange(request, signal, async (answer) => {
      if (this.#isForeign(handle.type, answer)) return noOwnObjects(file);
      if (isSuccess(answer)) return undefined;
      return answer.status === 404 ? this.#missing() : await answer.refusal();
    });
    if (refusal === undefined) {
      if (handle.type === "config") this.#wasSeen = true;
      return;
    }
    // 403 and 409 may mean that the name is taken, 400 too with servers that look at the content first.
    const status = refusal.context["status"];
    const isTaken = status === 400 || status === 403 || status === 409;
    if (isTaken && (await this.#holds(handle, data, signal))) return;
    if (status === 409) throw new BackstayError("STORE_UNAVAILABLE", refusal.context);
    throw refusal;
  }

  async load(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    assertLoad(handle, range, signal);
    const file = handlePath(handle);
    const headers = range === undefined ? {} : { range: rangeHeader(range) };
    const request = this.#request("GET", targetOf(handle), { headers, file });
    const data = await this.#exchange(request, signal, async (answer) => {
      const { status } = answer;
      if (status === 404 || this.#isForeign(handle.type, answer)) return undefined;
      if (status === 200 && range === undefined) return await readWhole(handle, answer);
      if (range !== undefined && (status === 200 || status === 206))
        return await readRange(handle, range, answer);
      throw await answer.refusal();
    });
    if (data === undefined) {
      await this.#assertStillHere(handle, signal);
      throw new BackstayError("STORE_NOT_FOUND", { file });
    }
    if (handle.type === "config") this.#wasSeen = true;
    return data;
  }

  async *list(type: FileType, signal: AbortSignal): AsyncIterable<StoredFile> {
    assertFileType(type);
    signal.throwIfAborted();
    if (type === "config" || (type === "backstay" && !this.#keepsOwn)) return;
    const file = `${type}/`;
    const request = this.#request("GET", file, { headers: { accept: listMediaType }, file });
    let answer: HttpAnswer | undefined;
    try {
      this.#count(request, "list");
      answer = countedAnswer(await this.#transport.open(request, signal), this.#counts);
      this.#note(answer);
      if (this.#isForeign(type, answer)) return;
      if (answer.status === 404) return await this.#assertListable(answer, signal);
      if (answer.status !== 200) throw await answer.refusal();
      for await (const entries of entriesOf(answer, file))
        for (const entry of entries) {
          signal.throwIfAborted();
          const stored = await this.#storedFile(type, entry, signal);
          if (stored !== undefined) yield stored;
        }
    } catch (error) {
      throw this.#transport.failure(error, request, signal);
    } finally {
      await answer?.end();
    }
  }

  async stat(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    assertHandle(handle);
    const size = await this.#size(handle, signal);
    if (handle.type === "config" && size !== undefined) this.#wasSeen = true;
    if (size === undefined) await this.#assertStillHere(handle, signal);
    return size;
  }

  async remove(handle: Handle, signal: AbortSignal): Promise<void> {
    assertHandle(handle);
    signal.throwIfAborted();
    if (handle.type === "backstay" && !this.#keepsOwn) return;
    const request = this.#request("DELETE", targetOf(handle), { file: handlePath(handle) });
    await this.#exchange(request, signal, async (answer) => {
      if (isSuccess(answer) || answer.status === 404) return;
      if (!this.#isForeign(handle.type, answer)) throw await answer.refusal();
    });
    if (handle.type === "config") this.#wasSeen = false;
  }

  /** What broken uploads leave is the server's to remove. */
  async sweep(signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    return 0;
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  /** `target` is below the repository's path: `config`, `data/`, `data/<name>`, `?create=true`. */
  #request(
    method: HttpRequest["method"],
    target: string,
    parts: {
      readonly file?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: Uint8Array;
    },
  ): HttpRequest {
    const { file, headers, body } = parts;
    const { path, authorization } = this.#place;
    return {
      method,
      path: `${path}${target}`,
      context: file === undefined ? {} : { file },
      headers: {
        ...(authorization === undefined ? {} : { authorization }),
        ...(body === undefined ? {} : { "content-type": "application/octet-stream" }),
        ...headers,
      },
      body: body === undefined ? undefined : [body],
    };
  }

  async #exchange<T>(
    request: HttpRequest,
    signal: AbortSignal,
    use: (answer: HttpAnswer) => Promise<T>,
  ): Promise<T> {
    this.#count(request, kindOf[request.method]);
    return await this.#transport.exchange(request, signal, async (answer) => {
      this.#note(answer);
      return await use(countedAnswer(answer, this.#counts));
    });
  }

  #count({ body }: HttpRequest, kind: RequestKind): void {
    this.#counts?.request(
      kind,
      body?.reduce((sum, piece) => sum + piece.length, 0),
    );
  }

  /** Learns from an answer what kind of server it is. */
  #note(answer: HttpAnswer): void {
    if (answer.header("server")?.startsWith("rclone/") === true) this.#isAtomic = false;
    if (isSuccess(answer)) this.#keepsOwn = isGateway(answer);
    if (answer.header(gatewayHeader) === gatewayWords.locks) this.#keepsLocks = true;
    else if (isSuccess(answer) || answer.status === 404) this.#keepsLocks = false;
  }

  /** True for the answer of a server that has never heard of a type of our own. */
  #isForeign(type: FileType, answer: HttpAnswer): boolean {
    if (type !== "backstay" || isGateway(answer) || !foreignStatuses.has(answer.status))
      return false;
    this.#keepsOwn = false;
    return true;
  }

  /** What makes a new object locked, if it shall be. */
  async #lockHeaders(
    handle: Handle,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, string>>> {
    if (this.#retention === undefined || handle.type === "locks") return {};
    await this.#requireLocks(handle, signal);
    return { [lockHeader]: lockRuleText(this.#retention) };
  }

  /** STORE_LACKS unless the server has said that it locks objects for this account. */
  async #requireLocks(handle: Handle, signal: AbortSignal): Promise<void> {
    if (this.#keepsLocks === undefined) await this.#size(config, signal);
    if (this.#keepsLocks === true) return;
    const problem =
      "objects can't be locked there: it takes a gateway of Backstay over a storage that keeps locks, with mayLock";
    throw new BackstayError("STORE_LACKS", { file: handlePath(handle), problem });
  }

  async #size(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    signal.throwIfAborted();
    if (handle.type === "backstay" && !this.#keepsOwn) return undefined;
    const file = handlePath(handle);
    const request = this.#request("HEAD", targetOf(handle), { file });
    return await this.#exchange(request, signal, async (answer) => {
      if (answer.status === 404 || this.#isForeign(handle.type, answer)) return undefined;
      if (answer.status !== 200) throw await answer.refusal();
      if (answer.length !== undefined) return answer.length;
      throw new BackstayError("STORE_UNAVAILABLE", { file, problem: "it does not say the size" });
    });
  }

  /** True if the file is there with this content; STORE_EXISTS if it has another. */
  async #holds(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const sizeBytes = await this.#size(handle, signal);
    if (sizeBytes === undefined) return false;
    const file = handlePath(handle);
    const request = this.#request("GET", targetOf(handle), { file });
    const found = await this.#exchange(request, signal, async (answer) => {
      if (answer.status === 404) return "absent";
      if (answer.status !== 200) throw await answer.refusal();
      return (await isSame(handle, data, answer)) ? "same" : "other";
    });
    if (found === "other") throw new BackstayError("STORE_EXISTS", { file, sizeBytes });
    return found === "same";
  }

  /** An element of a list as a stored file; undefined if its name is none of that type, or it is gone. */
  async #storedFile(
    type: FileType,
    entry: unknown,
    signal: AbortSignal,
  ): Promise<StoredFile | undefined> {
    const { name, size } = nameAndSize(entry, type);
    if (!isFileName(type, name)) return undefined;
    const known = size ?? (await this.#size({ type, name }, signal));
    return known === undefined ? undefined : { name, size: known };
  }

  /** rclone says "not found" to other failures too; from all others it means that nothing is there yet. */
  async #assertListable(answer: HttpAnswer, signal: AbortSignal): Promise<void> {
    if (answer.header("server")?.startsWith("rclone/") === true)
      throw new BackstayError("STORE_UNAVAILABLE", { problem: "it can't list its files" });
    await this.#assertStillHere(undefined, signal);
  }

  /** STORE_MISSING if the repository was here before and is not any more: a disk of the server may be gone. */
  async #assertStillHere(handle: Handle | undefined, signal: AbortSignal): Promise<void> {
    if (!this.#wasSeen || handle?.type === "backstay") return;
    if ((await this.#size(config, signal)) === undefined) throw this.#missing();
  }

  #missing(): BackstayError {
    return new BackstayError("STORE_MISSING", { place: this.location });
  }
}

/** The protocol's paths have no folders below `data`. */
function targetOf({ type, name }: Handle): string {
  return type === "config" ? "config" : `${type}/${name}`;
}

function isSuccess({ status }: HttpAnswer): boolean {
  return status >= 200 && status < 300;
}

function isGateway(answer: HttpAnswer): boolean {
  return answer.header(gatewayHeader) !== undefined;
}

function noOwnObjects(file: string): BackstayError {
  const problem = "only a gateway of Backstay keeps objects of Backstay's own";
  return new BackstayError("STORE_DENIED", { file, problem });
}
