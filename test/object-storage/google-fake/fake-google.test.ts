/** The stand-in for Google's storage does what Google's documentation says, asked as any client would. */
import { spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { FakeBucket } from "./fake-bucket.ts";
import { FakeGoogle } from "./fake-google.ts";

const kibibyte = 1024;
let fake: FakeGoogle;
let bucket: FakeBucket;
beforeAll(async () => {
  fake = await FakeGoogle.start();
});
afterAll(async () => await fake.stop());
beforeEach(() => {
  bucket = fake.bucket(`b-${randomUUID()}`);
});

const object = (name: string): string =>
  `${fake.url}/storage/v1/b/${bucket.name}/o/${encodeURIComponent(name)}`;
const upload = (query: string): string =>
  `${fake.url}/upload/storage/v1/b/${bucket.name}/o?${query}`;

async function put(name: string, content: string, query = ""): Promise<Response> {
  const url = upload(`uploadType=media&name=${encodeURIComponent(name)}${query}`);
  return await fetch(url, { method: "POST", body: content });
}

async function related(description: object, content: string): Promise<Response> {
  const body = `--xyz\r\ncontent-type: application/json\r\n\r\n${JSON.stringify(description)}\r\n--xyz\r\ncontent-type: text/plain\r\n\r\n${content}\r\n--xyz--`;
  return await fetch(upload("uploadType=multipart"), {
    method: "POST",
    headers: { "content-type": "multipart/related; boundary=xyz" },
    body,
  });
}

async function begin(query = ""): Promise<string> {
  const answer = await fetch(upload(`uploadType=resumable&name=big${query}`), { method: "POST" });
  expect(answer.status).toBe(200);
  return answer.headers.get("location") ?? "";
}

async function part(url: string, range: string, body?: Uint8Array): Promise<Response> {
  return await fetch(url, {
    method: "PUT",
    headers: { "content-range": `bytes ${range}` },
    ...(body !== undefined && { body: Buffer.from(body) }),
  });
}

describe("preconditions", () => {
  it("let one of many creators win", async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => await put("one", `${i}`, "&ifGenerationMatch=0")),
    );
    const statuses = answers.map(({ status }) => status).sort((a, b) => a - b);
    expect(statuses).toEqual([200, 412, 412, 412, 412, 412, 412, 412]);
  });
  it("hold for generations and metagenerations, also when removing", async () => {
    const first = (await (await put("one", "1")).json()) as { generation: string };
    expect((await put("one", "2", `&ifGenerationNotMatch=${first.generation}`)).status).toBe(412);
    expect((await put("one", "2", `&ifGenerationMatch=${first.generation}`)).status).toBe(200);
    const remove = async (query: string): Promise<number> =>
      (await fetch(`${object("one")}?${query}`, { method: "DELETE" })).status;
    expect(await remove(`ifGenerationMatch=${first.generation}`)).toBe(412);
    expect(await remove("ifMetagenerationMatch=2")).toBe(412);
    expect(await remove("ifMetagenerationMatch=1")).toBe(204);
    expect(await remove("")).toBe(404);
  });
});

describe("checksums", () => {
  it("that do not match are refused, and good ones come with each download", async () => {
    for (const wrong of [{ crc32c: "AAAAAA==" }, { md5Hash: "1B2M2Y8AsgTpgAmY7PhCfg==" }])
      expect((await related({ name: "one", ...wrong }, "content")).status).toBe(400);
    expect((await related({ name: "nine", crc32c: "4waSgw==" }, "123456789")).status).toBe(200);
    for (const url of [`${object("nine")}?alt=media`, `${fake.url}/${bucket.name}/nine`]) {
      const answer = await fetch(url, { headers: { range: "bytes=2-4" } });
      expect([answer.status, await answer.text()]).toEqual([206, "345"]);
      expect(answer.headers.get("content-range")).toBe("bytes 2-4/9");
      expect(answer.headers.get("x-goog-hash")).toContain("crc32c=4waSgw==");
    }
    const beyond = await fetch(`${object("nine")}?alt=media`, { headers: { range: "bytes=9-" } });
    expect(beyond.status).toBe(416);
  });
});

describe("an upload in parts", () => {
  const data = randomBytes(600 * kibibyte);
  it("takes multiples of 256 KiB, says what it has, and ends with the last byte", async () => {
    const url = await begin("&ifGenerationMatch=0");
    expect((await part(url, `0-99/${data.length}`, data.subarray(0, 100))).status).toBe(400);
    const again = await begin("&ifGenerationMatch=0");
    const first = await part(again, `0-262143/${data.length}`, data.subarray(0, 256 * kibibyte));
    expect([first.status, first.headers.get("range")]).toEqual([308, "bytes=0-262143"]);
    const asked = await part(again, `*/${data.length}`);
    expect([asked.status, asked.headers.get("range")]).toEqual([308, "bytes=0-262143"]);
    const tooFar = await part(
      again,
      `524288-${data.length - 1}/${data.length}`,
      data.subarray(524_288),
    );
    expect(tooFar.status).toBe(503);
    const last = await part(
      again,
      `262144-${data.length - 1}/${data.length}`,
      data.subarray(262_144),
    );
    expect(last.status).toBe(200);
    expect((await part(again, `*/${data.length}`)).status).toBe(200);
    const stored = await fetch(`${object("big")}?alt=media`);
    expect(Buffer.compare(Buffer.from(await stored.arrayBuffer()), data)).toBe(0);
  });
  it("keeps its precondition to the end, and its checksum", async () => {
    const url = await begin("&ifGenerationMatch=0");
    await put("big", "faster");
    expect((await part(url, "0-2/3", data.subarray(0, 3))).status).toBe(412);
    expect(
      (await fetch(upload("uploadType=resumable&name=big&ifGenerationMatch=0"), { method: "POST" }))
        .status,
    ).toBe(412);
    const other = await begin();
    const wrong = await fetch(other, {
      method: "PUT",
      headers: { "content-range": "bytes 0-2/3", "x-goog-hash": "crc32c=AAAAAA==" },
      body: "abc",
    });
    expect(wrong.status).toBe(400);
  });
  it("is given up by DELETE, and forgotten after some time", async () => {
    const url = await begin();
    expect((await fetch(url, { method: "DELETE" })).status).toBe(499);
    expect((await part(url, "0-2/3", data.subarray(0, 3))).status).toBe(499);
    const forgotten = await begin();
    fake.uploads.forget();
    expect((await part(forgotten, "*/3")).status).toBe(410);
    expect((await part(upload("uploadType=resumable&upload_id=none"), "*/3")).status).toBe(404);
  });
});

describe("a list", () => {
  it("has pages, prefixes, delimiters, versions, and only the fields that are wanted", async () => {
    bucket.settings.versioning = true;
    for (const name of ["a/1", "a/2", "b/1", "c", "c"])
      bucket.insert(name, Buffer.from("x"), {}, {});
    const list = async (query: string): Promise<Record<string, unknown>> =>
      (await (await fetch(`${fake.url}/storage/v1/b/${bucket.name}/o?${query}`)).json()) as Record<
        string,
        unknown
      >;
    const first = await list("maxResults=2&fields=nextPageToken,items(name)");
    expect(first["items"]).toEqual([{ name: "a/1" }, { name: "a/2" }]);
    const next = String(first["nextPageToken"]);
    expect(await list(`maxResults=2&pageToken=${next}&fields=items(name,size)`)).toEqual({
      items: [
        { name: "b/1", size: "1" },
        { name: "c", size: "1" },
      ],
    });
    expect(await list("delimiter=/&fields=prefixes,items(name)")).toEqual({
      prefixes: ["a/", "b/"],
      items: [{ name: "c" }],
    });
    expect((await list("prefix=c&versions=true"))["items"]).toHaveLength(2);
  });
});

describe("what must not be removed", () => {
  const dayMs = 86_400_000;
  const status = async (name: string): Promise<number> =>
    (await fetch(object(name), { method: "DELETE" })).status;
  const change = async (name: string, changes: object, query = ""): Promise<number> => {
    const body = JSON.stringify(changes);
    return (await fetch(`${object(name)}?${query}`, { method: "PATCH", body })).status;
  };
  it("is kept by holds, by its own retention, and by the bucket's", async () => {
    bucket.settings.objectRetention = true;
    await put("held", "1");
    expect(await change("held", { temporaryHold: true })).toBe(200);
    expect([await status("held"), (await put("held", "2")).status]).toEqual([403, 403]);
    await put("kept", "1");
    const until = (days: number, mode = "Unlocked"): object => ({
      retention: { mode, retainUntilTime: new Date(Date.now() + days * dayMs).toISOString() },
    });
    expect(await change("kept", until(5))).toBe(200);
    expect(await status("kept")).toBe(403);
    expect(await change("kept", until(3))).toBe(403);
    expect(await change("kept", until(3), "overrideUnlockedRetention=true")).toBe(200);
    expect(await change("kept", until(4, "Locked"), "overrideUnlockedRetention=true")).toBe(200);
    expect(await change("kept", until(3, "Locked"), "overrideUnlockedRetention=true")).toBe(403);
    expect(await change("kept", until(6, "Locked"))).toBe(200);
    fake.clockOffsetMs = 7 * dayMs;
    expect(await status("kept")).toBe(204);
    fake.clockOffsetMs = 0;
    bucket.settings.retentionSeconds = 60;
    await put("young", "1");
    expect(await status("young")).toBe(403);
  });
  it("stays as an older version, or softly removed, where the bucket keeps it", async () => {
    bucket.settings.versioning = true;
    await put("one", "1");
    expect(await status("one")).toBe(204);
    expect(bucket.noncurrent).toHaveLength(1);
    bucket.settings.versioning = false;
    bucket.settings.softDeleteSeconds = 60;
    await put("two", "1");
    expect(await status("two")).toBe(204);
    expect(bucket.softDeleted).toHaveLength(1);
  });
  it("can't be written more than once a second, if the bucket looks at that", async () => {
    bucket.limitsWrites = true;
    expect([(await put("one", "1")).status, (await put("one", "2")).status]).toEqual([200, 429]);
    expect((await put("two", "1")).status).toBe(200);
  });
});

describe("failures that are planned", () => {
  it("happen once each, and what did not happen is left", async () => {
    fake.failures.plan(
      "storage.objects.get",
      "return-503-retry-after-3",
      "return-reset-connection",
    );
    await put("one", "1");
    const answer = await fetch(object("one"));
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "3"]);
    expect(fake.failures.left).toEqual(["storage.objects.get: return-reset-connection"]);
    await expect(fetch(object("one"))).rejects.toThrow();
    expect((await fetch(object("one"))).status).toBe(200);
    expect(() => fake.failures.plan("storage.objects.get", "explode")).toThrow("explode");
  });
  it("of an upload keep what had come", async () => {
    const url = await begin();
    fake.failures.plan("storage.objects.upload", "return-503-after-300K");
    const data = randomBytes(600 * kibibyte);
    expect((await part(url, `0-${data.length - 1}/${data.length}`, data)).status).toBe(503);
    expect((await part(url, `*/${data.length}`)).headers.get("range")).toBe("bytes=0-262143");
  });
});

describe("tokens", () => {
  it("are wanted, end, and come from signed statements of known accounts only", async () => {
    const strict = await FakeGoogle.start({ wantsTokens: true });
    try {
      strict.bucket("some-bucket");
      const look = async (token: string): Promise<number> => {
        const headers = { authorization: `Bearer ${token}` };
        return (await fetch(`${strict.url}/storage/v1/b/some-bucket`, { headers })).status;
      };
      const token = strict.tokens.issue(60_000);
      expect([await look(""), await look("other"), await look(token)]).toEqual([401, 401, 200]);
      strict.clockOffsetMs = 61_000;
      expect(await look(token)).toBe(401);
      const claims = Buffer.from(JSON.stringify({ iss: "nobody" })).toString("base64url");
      const body = new URLSearchParams({
        grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
        assertion: `e30.${claims}.e30`,
      });
      const answer = await fetch(`${strict.url}/token`, { method: "POST", body });
      expect([answer.status, await answer.json()]).toMatchObject([400, { error: "invalid_grant" }]);
    } finally {
      await strict.stop();
    }
  });
});

describe("the program", () => {
  it("says where it listens, and ends when it is told to", async () => {
    const program = fileURLToPath(new URL("main.ts", import.meta.url));
    const child = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      const [url] = (await once(createInterface(child.stdout), "line")) as [string];
      const answer = await fetch(`${url}/storage/v1/b?project=p`, {
        method: "POST",
        body: JSON.stringify({ name: "some-bucket" }),
      });
      expect(answer.status).toBe(200);
      child.kill("SIGTERM");
      expect(await once(child, "exit")).toEqual([0, null]);
    } finally {
      child.kill("SIGKILL");
    }
  });
});
