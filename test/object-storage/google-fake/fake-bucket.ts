/**
 * A bucket of the fake: objects with generations, preconditions, versions, soft delete, holds and retention, by what
 * Google documents of them.
 */
import { createHash } from "node:crypto";
import { crc32c, crc32cText } from "../../../storage/gcs/crc32c.ts";
import { ApiError, conditionNotMet, invalid, notFound } from "./api-error.ts";

export interface FakeRetention {
  readonly mode: "Unlocked" | "Locked";
  readonly retainUntilTime: string;
}

/** What a client says of an object besides its content, and what of it can be changed. */
export interface ObjectSettings {
  readonly contentType?: string;
  readonly storageClass?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly crc32c?: string;
  readonly md5Hash?: string;
  readonly retention?: FakeRetention | null;
  readonly temporaryHold?: boolean;
  readonly eventBasedHold?: boolean;
}

export interface FakeObject {
  readonly name: string;
  readonly generation: number;
  metageneration: number;
  readonly content: Uint8Array;
  readonly crc32c: string;
  readonly md5Hash: string;
  readonly createdMs: number;
  settings: ObjectSettings;
  /** When it stopped being the live version, or was removed softly. */
  deletedMs: number | undefined;
}

export interface Preconditions {
  readonly generationMatch?: number | undefined;
  readonly generationNotMatch?: number | undefined;
  readonly metagenerationMatch?: number | undefined;
  readonly metagenerationNotMatch?: number | undefined;
}

export interface BucketSettings {
  versioning: boolean;
  uniformAccess: boolean;
  /** Per-object retention may be set. */
  objectRetention: boolean;
  /** Of the bucket's own retention policy; 0: there is none. */
  retentionSeconds: number;
  /** 0: what is removed is gone. */
  softDeleteSeconds: number;
  lifecycleRules: object[];
  storageClass: string;
}

const writesEachMs = 1000;

export class FakeBucket {
  readonly name: string;
  readonly settings: BucketSettings = {
    versioning: false,
    uniformAccess: true,
    objectRetention: false,
    retentionSeconds: 0,
    softDeleteSeconds: 0,
    lifecycleRules: [],
    storageClass: "STANDARD",
  };
  /** By name. */
  readonly live = new Map<string, FakeObject>();
  readonly noncurrent: FakeObject[] = [];
  readonly softDeleted: FakeObject[] = [];
  /** One write a second for each object, as Google says; else 429. */
  limitsWrites = false;
  readonly #nowMs: () => number;
  readonly #lastWriteMs = new Map<string, number>();
  #generations = 1_700_000_000_000_000;

  constructor(name: string, nowMs: () => number) {
    this.name = name;
    this.#nowMs = nowMs;
  }

  /** 404, or the object; of a version that is not live by its generation. */
  object(name: string, generation?: number): FakeObject {
    const found =
      generation === undefined
        ? this.live.get(name)
        : [...this.live.values(), ...this.noncurrent].find(
            (object) => object.name === name && object.generation === generation,
          );
    if (found === undefined) throw notFound(this.name, name);
    return found;
  }

  /** 412 or 304-like refusals for the live object of that name. */
  assertConditions(name: string, conditions: Preconditions): void {
    const found = this.live.get(name);
    const { generationMatch, generationNotMatch, metagenerationMatch, metagenerationNotMatch } =
      conditions;
    const generation = found?.generation ?? 0;
    const isMet =
      (generationMatch === undefined || generationMatch === generation) &&
      (generationNotMatch === undefined || generationNotMatch !== generation) &&
      (metagenerationMatch === undefined || metagenerationMatch === found?.metageneration) &&
      (metagenerationNotMatch === undefined || metagenerationNotMatch !== found?.metageneration);
    if (!isMet) throw conditionNotMet();
  }

  insert(
    name: string,
    content: Uint8Array,
    settings: ObjectSettings,
    conditions: Preconditions,
  ): FakeObject {
    this.#assertRate(name);
    this.assertConditions(name, conditions);
    const crc = crc32cText(crc32c(content));
    const md5 = createHash("md5").update(content).digest("base64");
    assertSame("CRC32C", settings.crc32c, crc);
    assertSame("MD5 hash", settings.md5Hash, md5);
    if (settings.retention !== undefined) this.#assertRetention(settings.retention);
    const before = this.live.get(name);
    if (before !== undefined) this.#unlive(before);
    this.#generations += 1;
    const object: FakeObject = {
      name,
      generation: this.#generations,
      metageneration: 1,
      content,
      crc32c: crc,
      md5Hash: md5,
      createdMs: this.#nowMs(),
      settings,
      deletedMs: undefined,
    };
    this.live.set(name, object);
    return object;
  }

  remove(name: string, generation: number | undefined, conditions: Preconditions): void {
    this.#assertRate(name);
    const object = this.object(name, generation);
    this.assertConditions(name, conditions);
    const isLive = this.live.get(name) === object;
    if (isLive && generation === undefined) {
      this.#unlive(object);
      return;
    }
    this.#assertFree(object);
    if (isLive) this.live.delete(name);
    else this.noncurrent.splice(this.noncurrent.indexOf(object), 1);
    this.#keepSoftly(object);
  }

  /** Changes what is said of an object. `mayOverride`: an unlocked retention may be shortened, removed or locked. */
  patch(
    name: string,
    changes: ObjectSettings,
    conditions: Preconditions,
    mayOverride: boolean,
  ): FakeObject {
    this.#assertRate(name);
    const object = this.object(name);
    this.assertConditions(name, conditions);
    if (changes.retention !== undefined) {
      this.#assertRetention(changes.retention);
      assertNoWeaker(object, changes.retention, mayOverride);
    }
    object.settings = { ...object.settings, ...changes };
    object.metageneration += 1;
    return object;
  }

  /** Until when an object can't be removed, ms since 1970; 0: it can. */
  lockedUntilMs({ settings, createdMs }: FakeObject): number {
    const own = Date.parse(settings.retention?.retainUntilTime ?? "");
    const { retentionSeconds } = this.settings;
    const byBucket = retentionSeconds === 0 ? 0 : createdMs + retentionSeconds * 1000;
    return Math.max(Number.isNaN(own) ? 0 : own, byBucket);
  }

  /** A live object gives way: with versioning it stays as an old version, else it must be free. */
  #unlive(object: FakeObject): void {
    if (!this.settings.versioning) this.#assertFree(object);
    this.live.delete(object.name);
    if (this.settings.versioning) {
      object.deletedMs = this.#nowMs();
      this.noncurrent.push(object);
    } else this.#keepSoftly(object);
  }

  #keepSoftly(object: FakeObject): void {
    if (this.settings.softDeleteSeconds === 0) return;
    object.deletedMs = this.#nowMs();
    this.softDeleted.push(object);
  }

  #assertFree(object: FakeObject): void {
    const { temporaryHold, eventBasedHold } = object.settings;
    const path = `${this.name}/${object.name}`;
    if (temporaryHold === true || eventBasedHold === true)
      throw new ApiError(
        403,
        "objectUnderActiveHold",
        `Object '${path}' is under active Temporary hold and cannot be deleted, overwritten or archived until hold is removed.`,
      );
    const untilMs = this.lockedUntilMs(object);
    if (untilMs <= this.#nowMs()) return;
    throw new ApiError(
      403,
      "retentionPolicyNotMet",
      `Object '${path}' is subject to bucket's retention policy or object retention and cannot be deleted or overwritten until ${new Date(untilMs).toISOString()}`,
    );
  }

  #assertRetention(retention: FakeRetention | null): void {
    if (!this.settings.objectRetention)
      throw invalid(`Object retention is not enabled on bucket '${this.name}'.`);
    if (retention === null) return;
    const untilMs = Date.parse(retention.retainUntilTime);
    if (!["Locked", "Unlocked"].includes(retention.mode) || Number.isNaN(untilMs))
      throw invalid("Invalid retention.");
    if (untilMs <= this.#nowMs()) throw invalid("Retain until time must be in the future.");
  }

  #assertRate(name: string): void {
    if (!this.limitsWrites) return;
    const nowMs = this.#nowMs();
    if (nowMs - (this.#lastWriteMs.get(name) ?? Number.NEGATIVE_INFINITY) < writesEachMs)
      throw new ApiError(
        429,
        "rateLimitExceeded",
        `The object ${this.name}/${name} exceeded the rate limit for object mutation operations (create, update, and delete).`,
      );
    this.#lastWriteMs.set(name, nowMs);
  }
}

function assertSame(what: string, given: string | undefined, calculated: string): void {
  if (given === undefined || given === calculated) return;
  throw invalid(`Provided ${what} "${given}" doesn't match calculated ${what} "${calculated}".`);
}

/** A locked retention never gets shorter or unlocked; an unlocked one only by who asks for it. */
function assertNoWeaker(
  { settings }: FakeObject,
  wanted: FakeRetention | null,
  mayOverride: boolean,
): void {
  const before = settings.retention ?? undefined;
  if (before === undefined) return;
  const isShorter =
    wanted === null || Date.parse(wanted.retainUntilTime) < Date.parse(before.retainUntilTime);
  const isOtherMode = wanted?.mode !== before.mode;
  if (!isShorter && !isOtherMode) return;
  if (before.mode === "Unlocked" && mayOverride) return;
  throw new ApiError(
    403,
    "forbidden",
    "The object's retention can't be reduced or its mode changed.",
  );
}
