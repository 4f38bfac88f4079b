/** What the store makes of answers that the servers of the other tests do not give. */
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { answer, type Script, ScriptedServer } from "../../test/rest/scripted-server.ts";
import type { Handle, ObjectStore } from "../object-store.ts";
import { RequestCounts } from "../request-counts.ts";
import { openS3Store, type S3StoreOptions } from "./s3-store.ts";

const never = new AbortController().signal;
const account = { AWS_ACCESS_KEY_ID: "testId", AWS_SECRET_ACCESS_KEY: "testSecret" };
const data = Buffer.from("content");
const name = createHash("sha256").update(data).digest("hex");
const lock: Handle = { type: "locks", name };
const pack: Handle = { type: "data", name };
const listPagesMax = Number(process.env["BACKSTAY_LIST_PAGES"] ?? 40);

let server: ScriptedServer;
const open: ObjectStore[] = [];
beforeEach(async () => {
  server = await ScriptedServer.start(() => undefined);
});
afterEach(async () => {
  for (const store of open.splice(0)) await store.close();
  await server.stop();
});

function storeOver(script: Script, options: Partial<S3StoreOptions> = {}): ObjectStore {
  server.script = script;
  const store = openS3Store(`http://${server.host}/bucket/p`, { environment: account, ...options });
  open.push(store);
  return store;
}

function refusal(status: number, code: string, ...headers: string[]): ReturnType<typeof answer> {
  return answer(
    status,
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code} it is</Message></Error>`,
    ["content-type: application/xml", ...headers],
  );
}

describe("errors", () => {
  it("say whether trying again can help, and when", async () => {
    const cases: [status: number, code: string, expected: object][] = [
      [503, "SlowDown", { code: "STORE_UNAVAILABLE", kind: "temporary" }],
      [429, "TooManyRequests", { code: "STORE_UNAVAILABLE", kind: "temporary" }],
      [500, "InternalError", { code: "STORE_UNAVAILABLE", kind: "temporary" }],
      [400, "RequestTimeout", { code: "STORE_UNAVAILABLE", kind: "temporary" }],
      [403, "AccessDenied", { code: "STORE_DENIED", kind: "permanent" }],
      [403, "QuotaExceeded", { code: "STORE_FULL" }],
      [403, "InvalidObjectState", { code: "STORE_ARCHIVED" }],
      [403, "RequestTimeTooSkewed", { code: "STORE_CLOCK" }],
      [404, "NoSuchKey", { code: "STORE_NOT_FOUND" }],
      [404, "NoSuchBucket", { code: "STORE_MISSING" }],
      [416, "InvalidRange", { code: "STORE_RANGE" }],
    ];
    for (const [status, code, expected] of cases) {
      const store = storeOver(() => refusal(status, code));
      const failure = store.load(pack, { offset: 0, length: 1 }, never);
      await expect(failure, code).rejects.toMatchObject(expected);
    }
    const store = storeOver(() => refusal(503, "SlowDown", "retry-after: 7"));
    await expect(store.load(pack, undefined, never)).rejects.toMatchObject({
      context: { said: "SlowDown", status: 503, retryAfterMs: 7000 },
    });
  });
  it("come of pages that no S3 server sends", async () => {
    const page = "<html><body>Welcome to the hotel</body></html>";
    const store = storeOver(() => answer(200, page, ["content-type: text/html"]));
    const calls = [
      Array.fromAsync(store.list("data", never)),
      store.save(lock, data, never),
      store.stat(pack, never),
      store.load(pack, undefined, never),
      store.load(pack, { offset: 1, length: 2 }, never),
    ];
    for (const outcome of await Promise.allSettled(calls))
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "STORE_UNAVAILABLE" } });
  });
  it("do not tell the account, even if the server does", async () => {
    const store = storeOver(() =>
      answer(403, "<Error><Code>AccessDenied</Code><Message>not testSecret</Message></Error>"),
    );
    const failure: unknown = await store.load(pack, undefined, never).catch((error) => error);
    expect(String(failure)).toContain("not ***");
    expect(String(failure)).not.toContain("testSecret");
  });
});

describe("corrections", () => {
  it("asks again in the region that the server names, and remembers it", async () => {
    const regions: (string | undefined)[] = [];
    const store = storeOver((head) => {
      const region = /Credential=[^/]+\/\d+\/([^/]+)\//.exec(head)?.[1];
      regions.push(region);
      return region === "eu-north-1"
        ? stored("content")
        : refusal(400, "AuthorizationHeaderMalformed", "x-amz-bucket-region: eu-north-1");
    });
    for (let i = 0; i < 2; i += 1)
      expect(Buffer.from(await store.load(pack, undefined, never))).toEqual(data);
    expect(regions).toEqual(["us-east-1", "eu-north-1", "eu-north-1"]);
  });
  it("refuses devices that say that they are Snow", async () => {
    const store = storeOver(() => refusal(301, "PermanentRedirect", "x-amz-bucket-region: snow"));
    await expect(store.load(pack, undefined, never)).rejects.toMatchObject({
      code: "STORE_UNSUPPORTED",
    });
    const contents = `<Contents><Key>p/locks/${name}</Key><Size>1</Size><StorageClass>SNOW</StorageClass></Contents>`;
    const listing = storeOver(() => listAnswer(contents));
    await expect(Array.fromAsync(listing.list("locks", never))).rejects.toMatchObject({
      code: "STORE_UNSUPPORTED",
    });
    const storageClass = "SNOW";
    expect(() => openS3Store("host/b", { environment: {}, storageClass })).toThrow(
      expect.objectContaining({ code: "STORE_UNSUPPORTED" }),
    );
  });
  it("learns in a HEAD, which has no reasons, what is wrong with the account", async () => {
    const store = storeOver((head) =>
      head.startsWith("HEAD ") ? answer(403) : refusal(403, "InvalidAccessKeyId"),
    );
    await expect(store.stat(pack, never)).rejects.toMatchObject({
      code: "STORE_DENIED",
      context: { said: "InvalidAccessKeyId" },
    });
  });
});

describe("names that are taken", () => {
  it("are found out to be overwritten by a server that ignores conditions", async () => {
    const objects = new Set<string>();
    const store = storeOver((head) => {
      const [method = "", target = ""] = head.split(" ");
      if (method === "PUT") objects.add(target.split("?")[0]);
      return objects.has(target.split("?")[0]) ? stored() : answer(404);
    });
    expect(store.capabilities.atomicCreate).toBe(true);
    await store.save(lock, data, never);
    expect(store.capabilities.atomicCreate).toBe(false);
    expect(server.requests.map((line) => line.split(" ")[0])).toEqual(["HEAD", "PUT", "PUT"]);
  });
  it("are taken by another at this moment: success if it is the same", async () => {
    let isThere = false;
    const store = storeOver((head) => {
      if (head.startsWith("PUT ")) {
        isThere = true;
        return refusal(409, "ConditionalRequestConflict");
      }
      if (!isThere) return answer(404);
      return stored("content");
    });
    await store.save(lock, data, never);
    await expect(
      storeOver((head) =>
        head.startsWith("PUT ") ? refusal(409, "ConditionalRequestConflict") : answer(404),
      ).save(lock, data, never),
    ).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });
});

describe("requests", () => {
  it("carry the hash of the content from the name, the class for packs only, and are counted", async () => {
    const heads: string[] = [];
    const counts = new RequestCounts();
    const store = storeOver(
      (head) => {
        heads.push(head.toLowerCase());
        return head.startsWith("PUT ") ? stored() : answer(404);
      },
      { storageClass: "STANDARD_IA", counts },
    );
    await store.save(pack, data, never);
    await store.save({ ...lock, type: "index" }, data, never);
    const puts = heads.filter((head) => head.startsWith("put "));
    for (const head of puts) {
      expect(head).toContain(`x-amz-content-sha256: ${name}`);
      expect(head).toContain("if-none-match: *");
      expect(head).not.toMatch(/aws-chunked|x-amz-trailer|x-amz-checksum/);
      expect(head.includes("standard_ia")).toBe(head.includes("/data/"));
    }
    const { requests, bytesUp } = counts.sums;
    expect([requests.put, requests.head]).toEqual([puts.length, heads.length - puts.length]);
    expect(bytesUp).toBe(puts.length * data.length);
  });
  it("to Amazon go to the bucket's host in its region, with a hash to keep, and none twice", async () => {
    const heads: string[] = [];
    server.script = (head) => {
      heads.push(head.toLowerCase());
      return head.startsWith("PUT ") ? stored() : answer(404);
    };
    const environment = { ...account, HTTP_PROXY: server.host, AWS_DEFAULT_REGION: "eu-west-3" };
    const store = openS3Store("http://s3.eu-west-3.amazonaws.com/bucket/p", {
      environment,
      retention: { mode: "compliance", days: 1 },
    });
    open.push(store);
    await store.save({ type: "locks", name }, data, never);
    await store.streamed?.receive(lock, data.length, inOne(data), never);
    await store.save({ type: "backstay", name: "x" }, data, never).catch(() => undefined);
    // Between them it was asked whether the second is there.
    const [saved, , received, own] = heads;
    const hash = Buffer.from(name, "hex").toString("base64").toLowerCase();
    for (const head of [saved, received]) {
      expect(head).toContain("/p/locks/");
      expect(head).toContain("host: bucket.s3.eu-west-3.amazonaws.com");
      expect(head).toContain(`x-amz-content-sha256: ${name}`);
      expect(head).toContain(`x-amz-checksum-sha256: ${hash}`);
      expect(head).toContain("if-none-match: *");
      expect(head).not.toMatch(/crc32|aws-chunked|object-lock/);
    }
    expect(own).toMatch(/x-amz-checksum-crc32: /);
    expect(own).toContain("x-amz-object-lock-mode: compliance");
    expect(own).not.toMatch(/aws-chunked/);
  });
  it("to the host of all of Amazon's regions go to the one of the setting", async () => {
    const environment = { ...account, HTTPS_PROXY: server.host, AWS_DEFAULT_REGION: "eu-west-3" };
    server.script = () => answer(403);
    const store = openS3Store("s3.amazonaws.com/bucket", { environment });
    open.push(store);
    await expect(store.stat(pack, never)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(server.requests[0]).toBe("CONNECT bucket.s3.eu-west-3.amazonaws.com:443 HTTP/1.1");
  });
  it("reuse connections", async () => {
    const store = storeOver(() => stored("content"));
    for (let i = 0; i < 5; i += 1) await store.load(pack, undefined, never);
    expect(server.requests).toHaveLength(5);
    expect(server.connections).toBeLessThanOrEqual(2);
  });
});

describe("lists", () => {
  it("of many pages need the memory of one", async () => {
    const entries = 1000;
    let page = 0;
    const store = storeOver((head) => {
      expect(/continuation-token=([^&\s]+)/.exec(head)?.[1]).toBe(
        page === 0 ? undefined : `page-${page}`,
      );
      page += 1;
      const contents = Array.from({ length: entries }, (_, i) => {
        const hash = createHash("sha256").update(`${page} ${i}`).digest("hex");
        return `<Contents><Key>p/data/${hash.slice(0, 2)}/${hash}</Key><ETag>&quot;${hash.slice(0, 32)}&quot;</ETag><Size>${i}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
      });
      return listAnswer(contents.join(""), page < listPagesMax ? `page-${page}` : undefined);
    });
    let files = 0;
    for await (const file of store.list("data", never)) {
      expect(file.size).toBe(files % entries);
      // No page is asked for before the one before it has been given.
      expect(page).toBe(Math.floor(files / entries) + 1);
      files += 1;
    }
    expect(files).toBe(listPagesMax * entries);
  });
  it("that do not go on, or come around again, are no shorter lists", async () => {
    const contents = `<Contents><Key>p/keys/${name}</Key><Size>7</Size></Contents>`;
    const cut = storeOver(() => listAnswer(contents, ""));
    await expect(Array.fromAsync(cut.list("keys", never))).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
    const circle = storeOver(() => listAnswer(contents, "the same"));
    await expect(Array.fromAsync(circle.list("keys", never))).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
  });
});

async function* inOne(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}

/** Of an object that is there. */
function stored(content = ""): ReturnType<typeof answer> {
  return answer(200, content, ['etag: "9a0364b9e99bb480dd25e1f0284c8555"']);
}

/** `next` empty: there is more, but nothing says where. */
function listAnswer(contents: string, next?: string): ReturnType<typeof answer> {
  const hasToken = next !== undefined && next !== "";
  const token = hasToken ? `<NextContinuationToken>${next}</NextContinuationToken>` : "";
  const isTruncated = `<IsTruncated>${next !== undefined}</IsTruncated>`;
  const body = `<?xml version="1.0"?><ListBucketResult>${isTruncated}${token}${contents}</ListBucketResult>`;
  return answer(200, body, ["content-type: application/xml"]);
}
