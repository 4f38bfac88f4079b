/** What the store makes of answers that Azurite never gives: Azure's, as its REST documentation describes them. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { BackstayError } from "../../protocol/backstay-error.ts";
import { failure as failureOf } from "../../test/object-storage/call-failure.ts";
import { answer, type Script, ScriptedServer } from "../../test/rest/scripted-server.ts";
import type { Handle, ObjectStore } from "../object-store.ts";
import { openAzureStore } from "./azure-store.ts";

const never = new AbortController().signal;
const key = Buffer.from("a planted key").toString("base64");
const data = Buffer.from("some content");
const pack: Handle = { type: "data", name: "ab".repeat(32) };
const dayMs = 86_400_000;

let server: ScriptedServer;
let heads: string[];
let store: ObjectStore;
beforeAll(async () => {
  server = await ScriptedServer.start(() => undefined);
});
afterAll(async () => await server.stop());
beforeEach(() => {
  heads = [];
  store = open();
  return async () => await store.close();
});

function open(options: Partial<Parameters<typeof openAzureStore>[1]> = {}): ObjectStore {
  const environment = {
    BACKSTAY_AZURE_ENDPOINT: `http://${server.host}/account`,
    AZURE_ACCOUNT_NAME: "account",
    AZURE_ACCOUNT_KEY: key,
  };
  return openAzureStore("container:/p", { environment, silenceMs: 20_000, ...options });
}

/** The server says this to everything; what it is asked is in `heads`. */
function says(script: Script): void {
  server.script = (head, body) => {
    heads.push(head);
    return script(head, body);
  };
}

function refusal(
  status: number,
  word: string,
  headers: readonly string[] = [],
): ReturnType<Script> {
  const body = `<?xml version="1.0"?><Error><Code>${word}</Code><Message>In words.\nRequestId:1</Message></Error>`;
  return answer(status, body, [
    `x-ms-error-code: ${word}`,
    "content-type: application/xml",
    ...headers,
  ]);
}

function content(body: string, headers: readonly string[] = []): ReturnType<Script> {
  return answer(200, body, ['etag: "1"', "x-ms-blob-type: BlockBlob", ...headers]);
}

async function failure(call: Promise<unknown>): Promise<BackstayError> {
  return await failureOf(call, key);
}

function headerOf(head: string, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)$`, "im").exec(head)?.[1];
}

describe("a refusal", () => {
  const calls: readonly [name: string, call: (at: ObjectStore) => Promise<unknown>][] = [
    ["save", (at) => at.save(pack, data, never)],
    ["load", (at) => at.load(pack, undefined, never)],
    ["list", (at) => Array.fromAsync(at.list("data", never))],
    ["stat", (at) => at.stat(pack, never)],
    ["remove", (at) => at.remove(pack, never)],
  ];
  it.each(calls)("because of haste says when to come back: %s", async (_name, call) => {
    says(() => refusal(503, "ServerBusy", ["retry-after: 7"]));
    const error = await failure(call(store));
    expect([error.code, error.context["retryAfterMs"]]).toEqual(["STORE_UNAVAILABLE", 7000]);
    says(() => refusal(500, "OperationTimedOut"));
    expect((await failure(call(store))).kind).toBe("temporary");
    expect(heads).toHaveLength(2);
  });
  it.each(calls)("because of a clock says so: %s", async (_name, call) => {
    const date = `date: ${new Date(Date.now() - 3_600_000).toUTCString()}`;
    says(() => refusal(403, "AuthenticationFailed", [date]));
    const error = await failure(call(store));
    expect(error.code).toBe("STORE_CLOCK");
    expect(error.message).toContain("60 minutes ahead");
  });
  it("means what Azure's word says", async () => {
    const words: readonly [status: number, word: string, code: string][] = [
      [403, "AuthenticationFailed", "STORE_DENIED"],
      [403, "AuthorizationPermissionMismatch", "STORE_DENIED"],
      [403, "AccountIsDisabled", "STORE_DENIED"],
      [400, "Md5Mismatch", "STORE_UNAVAILABLE"],
      [409, "BlobArchived", "STORE_ARCHIVED"],
      [409, "BlobBeingRehydrated", "STORE_ARCHIVED"],
      [409, "ContainerBeingDeleted", "STORE_UNAVAILABLE"],
      [416, "InvalidRange", "STORE_RANGE"],
      [501, "NotImplemented", "STORE_DENIED"],
      [404, "BlobNotFound", "STORE_NOT_FOUND"],
    ];
    for (const [status, word, code] of words) {
      says(() => refusal(status, word));
      expect([word, (await failure(store.load(pack, undefined, never))).code]).toEqual([
        word,
        code,
      ]);
    }
  });
  it("to remove what is locked tells of the lock", async () => {
    says(() => refusal(409, "BlobImmutableDueToPolicy"));
    const error = await failure(store.remove(pack, never));
    expect(error.code).toBe("STORE_DENIED");
    expect(error.message).toContain("locked");
  });
  it("to overwrite, for an account that may only create, is a name that is taken", async () => {
    says((head) =>
      head.startsWith("PUT") ? refusal(403, "UnauthorizedBlobOverwrite") : content("some content"),
    );
    await store.save(pack, data, never);
    await expect(store.save(pack, Buffer.from("other content"), never)).rejects.toMatchObject({
      code: "STORE_EXISTS",
    });
  });
});

describe("a container", () => {
  it("that was there and is gone is no empty one", async () => {
    says(() => refusal(404, "ContainerNotFound"));
    expect(await Array.fromAsync(store.list("data", never))).toEqual([]);
    expect(await store.stat(pack, never)).toBeUndefined();
    says(() => content("some content"));
    await store.load(pack, undefined, never);
    says(() => refusal(404, "ContainerNotFound"));
    const calls = [
      store.load(pack, undefined, never),
      store.stat(pack, never),
      store.remove(pack, never),
    ];
    for (const call of [...calls, Array.fromAsync(store.list("data", never))])
      expect((await failure(call)).code).toBe("STORE_MISSING");
  });
  it("is listed to its last page", async () => {
    const names = Array.from({ length: 7 }, (_, i) =>
      createHash("sha256").update(String(i)).digest("hex"),
    );
    says((head) => {
      const from = Number(/marker=page-(\d+)/.exec(head)?.[1] ?? 0);
      const blobs = names
        .slice(from, from + 3)
        .map(
          (name) =>
            `<Blob><Name>p/index/${name}</Name><Properties><Content-Length>9</Content-Length><Etag>1</Etag><Last-Modified>Mon, 01 Jan 2024 00:00:00 GMT</Last-Modified></Properties></Blob>`,
        );
      const next = from + 3 < names.length ? `page-${from + 3}` : "";
      const body = `<?xml version="1.0"?><EnumerationResults ServiceEndpoint="http://x/" ContainerName="container"><Blobs>${blobs.join("")}<Blob><Name>p/index/no name</Name><Properties><Content-Length>9</Content-Length></Properties></Blob></Blobs><NextMarker>${next}</NextMarker></EnumerationResults>`;
      return answer(200, body, ["content-type: application/xml"]);
    });
    const listed = await Array.fromAsync(store.list("index", never));
    expect(listed).toEqual(names.map((name) => ({ name, size: 9 })));
    expect(heads).toHaveLength(3);
    says(() => ({ text: "HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n<?xml", after: "cut" }));
    expect((await failure(Array.fromAsync(store.list("index", never)))).kind).toBe("temporary");
    says(() => answer(200, "<html>a page of a hotel</html>", ["content-type: text/html"]));
    expect((await failure(Array.fromAsync(store.list("index", never)))).kind).toBe("temporary");
  });
});

describe("content", () => {
  it("that ends early, is too long, or is not what its checksum says, may be asked for again", async () => {
    const long = "HTTP/1.1 200 OK\r\netag: 1\r\ncontent-length: 900\r\n\r\nshort";
    const wrong = createHash("md5").update("other").digest("base64");
    const scripts: readonly Script[] = [
      () => ({ text: long, after: "cut" }),
      () => content("some content", [`content-md5: ${wrong}`]),
      () => undefined,
    ];
    for (const script of scripts) {
      says(script);
      expect((await failure(store.load(pack, undefined, never))).code).toBe("STORE_UNAVAILABLE");
      const reading = async (): Promise<unknown> =>
        await (await store.streamed?.open(pack, undefined, never))?.body.toArray();
      expect((await failure(reading())).code).toBe("STORE_UNAVAILABLE");
    }
  });
  it("of which nothing comes any more is given up", async () => {
    store = open({ silenceMs: 300 });
    says(() => ({
      text: "HTTP/1.1 200 OK\r\netag: 1\r\ncontent-length: 900\r\n\r\nshort",
      after: "silent",
    }));
    expect((await failure(store.load(pack, undefined, never))).code).toBe("STORE_UNAVAILABLE");
  });
});

describe("locks", () => {
  const until = "x-ms-immutability-policy-until-date";
  const modeHeader = "x-ms-immutability-policy-mode";
  it("are set with what is saved, in either mode, but not on locks of sessions", async () => {
    says(() => answer(201, "", ['etag: "1"']));
    for (const [mode, named] of [
      ["governance", "Unlocked"],
      ["compliance", "Locked"],
    ] as const) {
      store = open({ retention: { mode, days: 30 } });
      const fromMs = Date.now();
      await store.save(pack, data, never);
      const [head = ""] = heads.splice(0);
      expect(headerOf(head, modeHeader)?.toLowerCase()).toBe(named.toLowerCase());
      const untilMs = Date.parse(headerOf(head, until) ?? "");
      expect(untilMs - fromMs).toBeGreaterThan(30 * dayMs - 2000);
      expect(untilMs - fromMs).toBeLessThan(30 * dayMs + 60_000);
      expect(headerOf(head, "if-none-match")).toBe("*");
      await store.save({ type: "locks", name: "cd".repeat(32) }, data, never);
      expect(headerOf(heads.splice(0)[0] ?? "", until)).toBeUndefined();
      const large = new Uint8Array(9 * 1024 * 1024);
      await store.streamed?.receive(pack, large.length, [large].values() as never, never);
      expect(heads.map((line) => headerOf(line, until) !== undefined)).toEqual([
        false,
        false,
        true,
      ]);
      heads.splice(0);
    }
  });
  it("are extended, never shortened, and keep their mode", async () => {
    const nowSecond = Math.floor(Date.now() / 1000) * 1000;
    const has = (days: number, mode: string): void =>
      says((head) =>
        head.startsWith("HEAD")
          ? content("", [
              `${until}: ${new Date(nowSecond + days * dayMs).toUTCString()}`,
              `${modeHeader}: ${mode}`,
            ])
          : answer(200, "", ['etag: "1"']),
      );
    has(10, "locked");
    expect(await store.retentionLocks?.lockedUntil(pack, never)).toBe(nowSecond + 10 * dayMs);
    await store.retentionLocks?.extend(pack, nowSecond + 9 * dayMs, never);
    expect(heads.filter((head) => head.startsWith("PUT"))).toEqual([]);
    await store.retentionLocks?.extend(pack, nowSecond + 11 * dayMs + 1, never);
    const [put = ""] = heads.filter((head) => head.startsWith("PUT"));
    expect(put).toMatch(/comp=immutabilityPolicies/i);
    expect(headerOf(put, modeHeader)?.toLowerCase()).toBe("locked");
    expect(Date.parse(headerOf(put, until) ?? "")).toBe(nowSecond + 11 * dayMs + 1000);
    heads.splice(0);
    has(10, "unlocked");
    store = open({ retention: { mode: "compliance", days: 1 } });
    await store.retentionLocks?.extend(pack, nowSecond + 5 * dayMs, never);
    const [stricter = ""] = heads.filter((head) => head.startsWith("PUT"));
    expect(headerOf(stricter, modeHeader)?.toLowerCase()).toBe("locked");
    expect(Date.parse(headerOf(stricter, until) ?? "")).toBe(nowSecond + 10 * dayMs);
  });
  it("of nothing, and where there are none, are said to be so", async () => {
    says(() => content(""));
    expect(await store.retentionLocks?.lockedUntil(pack, never)).toBeUndefined();
    says(() => refusal(404, "BlobNotFound"));
    const asked = store.retentionLocks?.lockedUntil(pack, never) ?? Promise.resolve();
    expect((await failure(asked)).code).toBe("STORE_NOT_FOUND");
  });
});
