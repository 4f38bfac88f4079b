/** What the store makes of servers that fail, lie, break off or fall silent; and that it never tells a password. */
import { inspect } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openClock } from "../../platform/open-clock.ts";
import type { BackstayError } from "../../protocol/backstay-error.ts";
import { failure as failureOf } from "../../test/object-storage/call-failure.ts";
import { answer, type Script, ScriptedServer } from "../../test/rest/scripted-server.ts";
import type { Handle, ObjectStore } from "../object-store.ts";
import { RetryStore } from "../retry/retry-store.ts";
import { TracedStore } from "../trace/traced-store.ts";
import { restPlace } from "./rest-address.ts";
import { RestStore } from "./rest-store.ts";

const never = new AbortController().signal;
const user = "the-machine";
const password = "s3cret/of it%";
const name = "ab".repeat(32);
const pack: Handle = { type: "data", name };
const secrets = [password, encodeURIComponent(password)];
secrets.push(Buffer.from(`${user}:${password}`).toString("base64"));

let server: ScriptedServer;
beforeAll(async () => {
  server = await ScriptedServer.start(() => undefined);
});
afterAll(async () => await server.stop());
beforeEach(() => {
  server.requests.length = 0;
});

function open(silenceMs = 20_000): ObjectStore {
  const address = `http://${user}:${encodeURIComponent(password)}@${server.host}/place/`;
  return new RestStore(restPlace(address, {}), { silenceMs });
}

async function failure(call: Promise<unknown>): Promise<BackstayError> {
  return await failureOf(call, ...secrets);
}

/** The code with which a call fails when the server does that. */
async function codeOf(
  script: Script,
  act: (store: ObjectStore) => Promise<unknown>,
): Promise<string> {
  server.script = script;
  const store = open();
  try {
    return (await failure(act(store))).code;
  } finally {
    await store.close();
  }
}

const load = (store: ObjectStore): Promise<unknown> => store.load(pack, undefined, never);
const loadPart = (store: ObjectStore): Promise<unknown> =>
  store.load(pack, { offset: 2, length: 4 }, never);
const save = (store: ObjectStore): Promise<unknown> =>
  store.save(pack, new Uint8Array(300_000), never);
const list = (store: ObjectStore): Promise<unknown> => Array.fromAsync(store.list("data", never));
const stat = (store: ObjectStore): Promise<unknown> => store.stat(pack, never);

describe("a server that breaks off", () => {
  const head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n";
  const places: readonly [where: string, script: Script][] = [
    ["without a word", () => undefined],
    ["before its answer", () => ({ text: "", after: "cut" })],
    ["in the first line", () => ({ text: "HTTP/1.1 2", after: "cut" })],
    ["in the headers", () => ({ text: head, after: "cut" })],
    ["before the body", () => ({ text: `${head}\r\n`, after: "cut" })],
    ["in the body", () => ({ text: `${head}\r\n01234`, after: "cut" })],
    [
      "in a body in chunks",
      () => ({
        text: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n[{"na',
        after: "cut",
      }),
    ],
  ];
  it.each(places)("%s may be tried again", async (_where, script) => {
    for (const act of [load, loadPart, list])
      expect(await codeOf(script, act)).toBe("STORE_UNAVAILABLE");
  });
  it("or is no HTTP server at all, may be tried again", async () => {
    for (const text of [
      "SSH-2.0-Other\r\n",
      "\0\0\0",
      "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    ])
      expect(await codeOf(() => ({ text, after: "cut" }), load)).toBe("STORE_UNAVAILABLE");
    const host = server.host;
    await server.stop();
    const store = new RestStore(restPlace(`http://${host}/`, {}));
    expect((await failure(store.stat(pack, never))).kind).toBe("temporary");
    await store.close();
    server = await ScriptedServer.start(() => undefined);
  });
  it("while it is given a file, gets it again, and has it once", async () => {
    const data = new Uint8Array(300_000).fill(7);
    const came: Buffer[] = [];
    server.script = (text, body) => {
      if (text.startsWith("HEAD")) return answer(404);
      came.push(Buffer.from(body));
      return came.length < 3 ? undefined : answer(200);
    };
    const store = new RetryStore(open(), {
      clock: openClock(),
      random: Math.random,
      firstDelayMsMax: 1,
    });
    await store.save(pack, data, never);
    expect(came.map((body) => body.equals(data))).toEqual([true, true, true]);
    await store.close();
  });
});

describe("an answer", () => {
  it("that is a failure tells by its status whether trying again can help", async () => {
    const codes: readonly [number, string][] = [
      [301, "STORE_DENIED"],
      [400, "STORE_DENIED"],
      [401, "STORE_DENIED"],
      [403, "STORE_DENIED"],
      [408, "STORE_UNAVAILABLE"],
      [413, "STORE_FULL"],
      [429, "STORE_UNAVAILABLE"],
      [500, "STORE_UNAVAILABLE"],
      [502, "STORE_UNAVAILABLE"],
      [503, "STORE_UNAVAILABLE"],
      [504, "STORE_UNAVAILABLE"],
      [507, "STORE_FULL"],
    ];
    for (const [status, code] of codes) {
      const script = (): ReturnType<Script> =>
        answer(status, "no", ["location: http://127.0.0.1:1/elsewhere"]);
      for (const act of [load, loadPart, save, list, stat])
        expect([status, await codeOf(script, act)]).toEqual([status, code]);
    }
    expect(server.requests.every((line) => line.includes(" /place/"))).toBe(true);
  });
  it("says when to come back", async () => {
    server.script = () => answer(503, "", ["retry-after: 7"]);
    const store = open();
    expect((await failure(load(store))).context["retryAfterMs"]).toBe(7000);
    await store.close();
  });
  it("is not taken for the file if it is not as long as asked, or another part", async () => {
    const part = (headers: string, body: string): Script => {
      return () => answer(206, body, [`content-range: ${headers}`]);
    };
    for (const [script, code] of [
      [part("bytes 2-5/10", "2345"), undefined],
      [part("bytes 3-6/10", "3456"), "STORE_UNAVAILABLE"],
      [part("bytes 2-4/10", "234"), "STORE_UNAVAILABLE"],
      [part("bytes 2-4/5", "234"), "STORE_RANGE"],
      [part("bytes 2-5/10", "234"), "STORE_UNAVAILABLE"],
      [part("bytes 2-5/10", "23456"), "STORE_UNAVAILABLE"],
      [part("pages 2-5/10", "2345"), "STORE_UNAVAILABLE"],
      [(): ReturnType<Script> => answer(206, "2345"), "STORE_UNAVAILABLE"],
      [(): ReturnType<Script> => answer(416), "STORE_RANGE"],
      [(): ReturnType<Script> => answer(200, "0123456789"), undefined],
      [(): ReturnType<Script> => answer(200, "01234"), "STORE_RANGE"],
    ] as const) {
      server.script = script;
      const store = open();
      const loaded = await store.load(pack, { offset: 2, length: 4 }, never).then(
        (data) => Buffer.from(data).toString(),
        (error: unknown) => (error as BackstayError).code,
      );
      expect(loaded).toBe(code ?? "2345");
      await store.close();
    }
  });
  it("that was changed on the way is not the file", async () => {
    const script = (): ReturnType<Script> => answer(200, "x", ["content-encoding: gzip"]);
    for (const act of [load, loadPart]) expect(await codeOf(script, act)).toBe("STORE_UNAVAILABLE");
  });
  it("of somebody else is no list: never a shorter one", async () => {
    const entry = `{"name":"${name}","size":3}`;
    for (const body of [
      "<html>Please log in</html>",
      "",
      "{}",
      `[${entry}`,
      `[${entry},`,
      `[${entry}]]`,
      `[{"name":"${name}"}]`,
      `[{"name":"${name}","size":-1}]`,
      `[{"name":"${name}","size":1.5}]`,
      "[1]",
    ])
      expect([body, await codeOf(() => answer(200, body), list)]).toEqual([
        body,
        "STORE_UNAVAILABLE",
      ]);
    server.script = () => answer(200, `[${entry},{"name":"../../etc/passwd","size":1}]`);
    const store = open();
    expect(await list(store)).toEqual([{ name, size: 3 }]);
    await store.close();
  });
  it("of an older server has names only, whose sizes are asked for", async () => {
    server.script = (text) =>
      text.startsWith("HEAD")
        ? { text: "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n", after: "keep" }
        : answer(200, `["${name}"]`);
    const store = open();
    expect(await list(store)).toEqual([{ name, size: 12 }]);
    await store.close();
  });
});

describe("a name that is taken", () => {
  const taken =
    (stored: string): Script =>
    (text) => {
      if (text.startsWith("POST")) return answer(403);
      if (text.startsWith("GET")) return answer(200, stored);
      return { text: `HTTP/1.1 200 OK\r\ncontent-length: ${stored.length}\r\n\r\n`, after: "keep" };
    };
  const mine = new Uint8Array(Buffer.from("mine"));
  it("is success if it has this content", async () => {
    server.script = taken("mine");
    const store = open();
    await store.save(pack, mine, never);
    await store.close();
  });
  it("is an error if it has another", async () => {
    for (const other of ["other", "mint", ""])
      expect(await codeOf(taken(other), (store) => store.save(pack, mine, never))).toBe(
        "STORE_EXISTS",
      );
  });
});

describe("silence", () => {
  it("is given up after a while, wherever it begins", async () => {
    for (const text of ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234"]) {
      server.script = () => ({ text, after: "silent" });
      const store = open(150);
      expect((await failure(load(store))).code).toBe("STORE_UNAVAILABLE");
      await store.close();
    }
  });
  it("ends at once with the reason of an abort", async () => {
    server.script = () => ({ text: "", after: "silent" });
    const store = open();
    const reason = new Error("enough");
    const abort = new AbortController();
    const loading = store.load(pack, undefined, abort.signal);
    await expect.poll(() => server.requests.length, { timeout: 30_000 }).toBe(1);
    abort.abort(reason);
    await expect(loading).rejects.toBe(reason);
    await store.close();
  });
});

it("passwords are neither in errors nor in traces nor in the address, even if the server repeats them", async () => {
  const calls: unknown[] = [];
  const store = new TracedStore(open(), openClock(), (call) => calls.push(call));
  const heads: string[] = [];
  server.script = (text) => {
    heads.push(text);
    return answer(403, `who is ${password}? ${secrets[1]} ${text}`);
  };
  for (const act of [load, save, list, stat]) {
    const error = await failure(act(store));
    expect(error.code).toBe("STORE_DENIED");
  }
  expect(heads.every((head) => head.includes(secrets[2]))).toBe(true);
  const shown = `${inspect(calls, { depth: 8 })}${store.location}`;
  for (const secret of secrets) expect(shown).not.toContain(secret);
  await store.close();
});
