/** The objects below one place of a bucket: what they are called, what they are made as, and what the storage says of them. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { HttpAnswer } from "../http/http-transport.ts";
import { type Handle, handlePath } from "../object-store.ts";
import type { RetentionRule } from "../retention-lock.ts";
import type { GcsPlace } from "./gcs-address.ts";
import {
  type GcsObject,
  gcsObject,
  objectFields,
  retentionDocument,
  retentionModeOf,
} from "./gcs-object.ts";
import type { GcsRequests } from "./gcs-requests.ts";
import type { UploadTarget } from "./gcs-upload.ts";

const dayMs = 86_400_000;

export interface NewGcsObjects {
  /** How new objects are locked, but for locks of sessions. */
  readonly retention?: RetentionRule | undefined;
  /** Of new packs. */
  readonly storageClass?: string | undefined;
}

export class GcsObjects {
  readonly requests: GcsRequests;
  readonly #place: GcsPlace;
  readonly #made: NewGcsObjects;

  constructor(place: GcsPlace, requests: GcsRequests, made: NewGcsObjects) {
    this.#place = place;
    this.requests = requests;
    this.#made = made;
  }

  /** Its name in the bucket. */
  nameOf(handle: Handle): string {
    return `${this.#place.prefix}${handlePath(handle)}`;
  }

  /** Of the object, for requests. */
  pathOf(handle: Handle): string {
    return `/storage/v1/b/${this.#place.bucket}/o/${encodeURIComponent(this.nameOf(handle))}`;
  }

  /** Of an upload that begins now. */
  targetOf(handle: Handle): UploadTarget {
    const { retention, storageClass } = this.#made;
    const isLocked = retention !== undefined && handle.type !== "locks";
    return {
      requests: this.requests,
      bucket: this.#place.bucket,
      document: {
        name: this.nameOf(handle),
        ...(storageClass !== undefined && handle.type === "data" && { storageClass }),
        ...(isLocked && {
          retention: retentionDocument(
            retentionModeOf(retention),
            Date.now() + retention.days * dayMs,
          ),
        }),
      },
      context: { file: handlePath(handle) },
    };
  }

  /** What the storage says of it; undefined if there is none. */
  async look(handle: Handle, signal: AbortSignal): Promise<GcsObject | undefined> {
    const request = {
      kind: "head",
      method: "GET",
      path: `${this.pathOf(handle)}?fields=${objectFields}`,
      context: { file: handlePath(handle) },
    } as const;
    return await this.requests.exchange(request, signal, async (answer) => {
      if (answer.status === 200) return gcsObject(await this.requests.document(answer));
      const refusal = await this.refusal(handle, answer, signal);
      if (refusal.code !== "STORE_NOT_FOUND") throw refusal;
      return undefined;
    });
  }

  /**
   * The error for an answer about one object that is no success. To accounts that may list some prefixes only, Google
   * says of an object that is not there that it is forbidden: then the list tells whether it is.
   */
  async refusal(handle: Handle, answer: HttpAnswer, signal: AbortSignal): Promise<BackstayError> {
    const refusal = await answer.refusal();
    if (answer.status !== 403 || refusal.code !== "STORE_DENIED") return refusal;
    if (await this.#isListed(handle, signal)) return refusal;
    return new BackstayError("STORE_NOT_FOUND", { file: handlePath(handle) });
  }

  /** False: it may be listed, and is not there. */
  async #isListed(handle: Handle, signal: AbortSignal): Promise<boolean> {
    const name = this.nameOf(handle);
    const query = new URLSearchParams({ prefix: name, maxResults: "1", fields: "items(name)" });
    const request = {
      kind: "list",
      method: "GET",
      path: `/storage/v1/b/${this.#place.bucket}/o?${query.toString()}`,
      context: { file: handlePath(handle) },
    } as const;
    return await this.requests.exchange(request, signal, async (answer) => {
      if (answer.status !== 200) return true;
      const { items } = await this.requests.document(answer);
      const [first] = Array.isArray(items) ? (items as { readonly name?: unknown }[]) : [];
      return first?.name === name;
    });
  }
}
