/** Lists of the fake: pages, prefixes, delimiters, versions; and objects and buckets as documents. */
import { invalid } from "./api-error.ts";
import type { FakeBucket, FakeObject } from "./fake-bucket.ts";

const pageObjectsMax = 1000;

/** An object as the JSON API describes it. */
export function objectDocument(bucket: FakeBucket, object: FakeObject): Record<string, unknown> {
  const { name, generation, metageneration, content, settings, createdMs, deletedMs } = object;
  const { retentionSeconds, storageClass } = bucket.settings;
  return {
    kind: "storage#object",
    id: `${bucket.name}/${name}/${generation}`,
    name,
    bucket: bucket.name,
    generation: String(generation),
    metageneration: String(metageneration),
    contentType: settings.contentType ?? "application/octet-stream",
    storageClass: settings.storageClass ?? storageClass,
    size: String(content.length),
    md5Hash: object.md5Hash,
    crc32c: object.crc32c,
    etag: `CAE${metageneration}=`,
    timeCreated: new Date(createdMs).toISOString(),
    updated: new Date(createdMs).toISOString(),
    ...(settings.metadata !== undefined && { metadata: settings.metadata }),
    ...(settings.temporaryHold === true && { temporaryHold: true }),
    ...(settings.eventBasedHold === true && { eventBasedHold: true }),
    ...(settings.retention !== undefined &&
      settings.retention !== null && { retention: settings.retention }),
    ...(retentionSeconds > 0 && {
      retentionExpirationTime: new Date(createdMs + retentionSeconds * 1000).toISOString(),
    }),
    ...(deletedMs !== undefined && { timeDeleted: new Date(deletedMs).toISOString() }),
  };
}

/** A bucket as the JSON API describes it. */
export function bucketDocument(bucket: FakeBucket): Record<string, unknown> {
  const { settings, name } = bucket;
  return {
    kind: "storage#bucket",
    id: name,
    name,
    location: "US",
    locationType: "multi-region",
    storageClass: settings.storageClass,
    metageneration: "1",
    iamConfiguration: {
      uniformBucketLevelAccess: { enabled: settings.uniformAccess },
      publicAccessPrevention: "inherited",
    },
    ...(settings.versioning && { versioning: { enabled: true } }),
    ...(settings.objectRetention && { objectRetention: { mode: "Enabled" } }),
    ...(settings.retentionSeconds > 0 && {
      retentionPolicy: { retentionPeriod: String(settings.retentionSeconds), isLocked: false },
    }),
    ...(settings.lifecycleRules.length > 0 && { lifecycle: { rule: settings.lifecycleRules } }),
    softDeletePolicy: { retentionDurationSeconds: String(settings.softDeleteSeconds) },
  };
}

/** A page of the list of a bucket. */
export function listDocument(bucket: FakeBucket, query: URLSearchParams): Record<string, unknown> {
  const prefix = query.get("prefix") ?? "";
  const delimiter = query.get("delimiter") ?? "";
  const asked = Number(query.get("maxResults") ?? pageObjectsMax);
  if (!Number.isInteger(asked) || asked < 1) throw invalid("Invalid maxResults.");
  const after = cursorOf(query.get("pageToken"));
  const page: FakeObject[] = [];
  const prefixes = new Set<string>();
  let last = "";
  for (const object of inOrder(sourceOf(bucket, query)).filter((one) =>
    one.name.startsWith(prefix),
  )) {
    const cut = delimiter === "" ? -1 : object.name.indexOf(delimiter, prefix.length);
    const entry = cut < 0 ? object.name : object.name.slice(0, cut + delimiter.length);
    const place = cut < 0 ? `${entry}\0${object.generation}` : entry;
    if (place <= after || prefixes.has(entry)) continue;
    if (page.length + prefixes.size === Math.min(asked, pageObjectsMax))
      return listOf(bucket, page, prefixes, last);
    if (cut < 0) page.push(object);
    else prefixes.add(entry);
    last = place;
  }
  return listOf(bucket, page, prefixes, "");
}

function sourceOf(bucket: FakeBucket, query: URLSearchParams): FakeObject[] {
  if (query.get("softDeleted") === "true") return bucket.softDeleted;
  const live = [...bucket.live.values()];
  return query.get("versions") === "true" ? [...live, ...bucket.noncurrent] : live;
}

function listOf(
  bucket: FakeBucket,
  page: readonly FakeObject[],
  prefixes: ReadonlySet<string>,
  last: string,
): Record<string, unknown> {
  return {
    kind: "storage#objects",
    ...(page.length > 0 && { items: page.map((object) => objectDocument(bucket, object)) }),
    ...(prefixes.size > 0 && { prefixes: [...prefixes] }),
    ...(last !== "" && { nextPageToken: Buffer.from(last).toString("base64url") }),
  };
}

function cursorOf(token: string | null): string {
  return token === null ? "" : Buffer.from(token, "base64url").toString("utf8");
}

function inOrder(objects: readonly FakeObject[]): FakeObject[] {
  return [...objects].sort((a, b) =>
    a.name === b.name ? a.generation - b.generation : a.name < b.name ? -1 : 1,
  );
}

/** Of a document what `fields` names: `a,b(c,d)`. Everything if it names nothing. */
export function withFields(document: unknown, fields: string | null): unknown {
  if (fields === null || fields === "") return document;
  if (Array.isArray(document)) return document.map((item) => withFields(item, fields));
  const kept: Record<string, unknown> = {};
  for (const [, name, inner] of fields.matchAll(/([A-Za-z0-9]+)(?:\(([^)]*)\))?/g)) {
    const value = (document as Record<string, unknown>)[name];
    if (value !== undefined) kept[name] = inner === undefined ? value : withFields(value, inner);
  }
  return kept;
}
