/** Objects as Google's JSON API names and describes them. Pure. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { RetentionRule } from "../retention-lock.ts";

/** What is said of a stored object, as far as we ask. */
export interface GcsObject {
  readonly name: string;
  readonly size: number;
  readonly generation: string;
  readonly metageneration: string;
  /** Base64; undefined: it is not kept. */
  readonly crc32c: string | undefined;
  readonly md5: string | undefined;
  /** Ms since 1970 until when it can't be removed, by its own retention or by the bucket's; undefined: it can. */
  readonly lockedUntilMs: number | undefined;
  /** Of its own retention. */
  readonly retentionMode: GcsRetentionMode | undefined;
}

export type GcsRetentionMode = "Unlocked" | "Locked";

/** The fields of `GcsObject`, for the query. */
export const objectFields =
  "name,size,generation,metageneration,crc32c,md5Hash,retention,retentionExpirationTime";

/** STORE_UNAVAILABLE if `document` describes no object. */
export function gcsObject(document: Readonly<Record<string, unknown>>): GcsObject {
  const text = (name: string): string | undefined => {
    const value = document[name];
    return typeof value === "string" ? value : undefined;
  };
  const size = text("size");
  const name = text("name");
  if (name === undefined || size === undefined || !/^\d{1,15}$/.test(size))
    throw new BackstayError("STORE_UNAVAILABLE", { problem: "what it says of an object is none" });
  const own = retentionOf(document["retention"]);
  const bucketMs = timeMs(text("retentionExpirationTime"));
  const untilMs = Math.max(own.untilMs ?? 0, bucketMs ?? 0);
  return {
    name,
    size: Number(size),
    generation: text("generation") ?? "",
    metageneration: text("metageneration") ?? "",
    crc32c: text("crc32c"),
    md5: text("md5Hash"),
    lockedUntilMs: untilMs === 0 ? undefined : untilMs,
    retentionMode: own.mode,
  };
}

/** The value of `retention` in a document that is sent. */
export function retentionDocument(
  mode: GcsRetentionMode,
  untilMs: number,
): { readonly mode: GcsRetentionMode; readonly retainUntilTime: string } {
  return { mode, retainUntilTime: new Date(untilMs).toISOString() };
}

/** What a rule's mode is called at Google. */
export function retentionModeOf(rule: RetentionRule): GcsRetentionMode {
  return rule.mode === "compliance" ? "Locked" : "Unlocked";
}

function retentionOf(value: unknown): {
  readonly mode: GcsRetentionMode | undefined;
  readonly untilMs: number | undefined;
} {
  const { mode, retainUntilTime } = (value ?? {}) as Record<string, unknown>;
  const untilMs = typeof retainUntilTime === "string" ? timeMs(retainUntilTime) : undefined;
  return { mode: mode === "Locked" || mode === "Unlocked" ? mode : undefined, untilMs };
}

function timeMs(text: string | undefined): number | undefined {
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
