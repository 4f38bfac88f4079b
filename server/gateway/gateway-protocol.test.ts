/** restic's protocol at the gateway, request by request; who may come in; and addresses that want to lead elsewhere. */
import { execFileSync } from "node:child_process";
import { randomBytes, randomUUIDv7 } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { MemoryStore } from "../../storage/memory/memory-store.ts";
import {
  basic,
  type GatewayMachine,
  GatewayScene,
  hashed,
} from "../../test/gateway/gateway-scene.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { makeTestGround, type TestGround } from "../../test/server/test-ground.ts";

const folder = newMemoryFolder("backstay-gateway-protocol-");
afterAll(() => execFileSync("rm", ["-rf", folder]));

let ground: TestGround;
let scene: GatewayScene;
let machine: GatewayMachine;
beforeAll(async () => {
  ground = await makeTestGround(path.join(folder, "server.db"), {
    dataFolder: path.join(folder, "data"),
  });
  const memory = new MemoryStore();
  scene = new GatewayScene(ground, { open: () => memory });
  await scene.start();
});
afterAll(async () => {
  await scene.stop();
  await ground.close();
});
beforeEach(async () => {
  machine = await scene.machine();
});

const content = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text));

/** Status, and the code of the problem document if it is one. */
async function outcome(answer: Promise<Response>): Promise<string> {
  const { status, text } = await told(await answer);
  const code = /"code":"([a-z-]+)"/.exec(text)?.[1];
  return code === undefined ? String(status) : `${status} ${code}`;
}

async function told(answer: Response): Promise<{ status: number; text: string }> {
  return { status: answer.status, text: await answer.text() };
}

async function create(of: GatewayMachine = machine): Promise<void> {
  expect(await outcome(scene.ask(of, "POST", "?create=true"))).toBe("200");
}

/** Stores a file of a type whose name is its hash; returns its name. */
async function store(type: string, text: string, of: GatewayMachine = machine): Promise<string> {
  const body = content(text);
  const name = hashed(body);
  expect(await outcome(scene.ask(of, "POST", `${type}/${name}`, { body }))).toBe("200");
  return name;
}

/** Sends bytes as they are; the answer until the server closes. */
async function sendRaw(text: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect(scene.port, "127.0.0.1", () =>
      socket.write(Buffer.from(text, "latin1")),
    );
    let answer = "";
    socket.on("data", (data) => {
      answer += data.toString("latin1");
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(answer));
  });
}

function rawRequest(method: string, target: string, more = ""): string {
  return `${method} ${target} HTTP/1.1\r\nhost: gateway\r\nauthorization: ${basic(machine)}\r\nconnection: close\r\n${more}\r\n`;
}

describe.each([
  { kind: "the folder" },
  { kind: "an object storage", storage: { url: "s3:memory" } },
])("files in $kind", ({ storage }) => {
  beforeEach(async () => {
    await scene.keepIn(machine, storage);
  });
  it("come back whole, by their parts, and as sizes", async () => {
    await create();
    const name = await store("data", "0123456789");
    const target = `data/${name}`;
    const head = await scene.ask(machine, "HEAD", target);
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "10"]);
    const whole = await scene.ask(machine, "GET", target);
    expect(whole.headers.get("accept-ranges")).toBe("bytes");
    expect(await told(whole)).toEqual({ status: 200, text: "0123456789" });
    const parts: [string, number, string, string | null][] = [
      ["bytes=2-4", 206, "234", "bytes 2-4/10"],
      ["bytes=7-", 206, "789", "bytes 7-9/10"],
      ["bytes=-2", 206, "89", "bytes 8-9/10"],
      ["bytes=8-99", 206, "89", "bytes 8-9/10"],
      ["bytes=0-0,2-2", 200, "0123456789", null],
      ["lines=1-2", 200, "0123456789", null],
    ];
    for (const [range, status, text, says] of parts) {
      const answer = await scene.ask(machine, "GET", target, { headers: { range } });
      expect([range, answer.headers.get("content-range")]).toEqual([range, says]);
      expect(await told(answer)).toEqual({ status, text });
    }
    const behind = await scene.ask(machine, "GET", target, { headers: { range: "bytes=10-" } });
    expect(behind.headers.get("content-range")).toBe("bytes */10");
    expect(await outcome(Promise.resolve(behind))).toBe("416 gateway-range");
    expect(await outcome(scene.ask(machine, "GET", `keys/${name}`))).toBe("404 gateway-absent");
    expect((await scene.ask(machine, "HEAD", `keys/${name}`)).status).toBe(404);
  });
  it("are listed with sizes for those who ask so, else by name", async () => {
    await create();
    const names = [await store("index", "a"), await store("index", "bcd")];
    const v2 = "application/vnd.x.restic.rest.v2";
    const listed = await scene.ask(machine, "GET", "index/", { headers: { accept: v2 } });
    expect(listed.headers.get("content-type")).toContain(v2);
    const entries = (await listed.json()) as { name: string; size: number }[];
    expect(entries.sort((a, b) => a.size - b.size)).toEqual([
      { name: names[0], size: 1 },
      { name: names[1], size: 3 },
    ]);
    const old = await scene.ask(machine, "GET", "index/");
    expect(old.headers.get("content-type")).toContain("application/vnd.x.restic.rest.v1");
    expect(((await old.json()) as string[]).sort()).toEqual(names.sort());
    expect(await (await scene.ask(machine, "GET", "keys/")).text()).toBe("[]");
  });
  it("are only added: what is there stays as it is, but for locks", async () => {
    await create();
    const lock = await store("locks", "a lock");
    expect(await outcome(scene.ask(machine, "POST", "config", { body: content("first") }))).toBe(
      "200",
    );
    const file = `config`;
    expect(await outcome(scene.ask(machine, "POST", file, { body: content("first") }))).toBe("200");
    expect(await outcome(scene.ask(machine, "POST", file, { body: content("other") }))).toBe(
      "403 gateway-name-taken",
    );
    expect(
      await outcome(scene.ask(machine, "POST", file, { body: content("longer than it") })),
    ).toBe("403 gateway-name-taken");
    expect(await (await scene.ask(machine, "GET", "config")).text()).toBe("first");
    const refused = ["", "config", "?create=true"];
    for (const type of ["data", "keys", "index", "snapshots"])
      refused.push(`${type}/${await store(type, "kept")}`);
    const own = "backstay/of-ours";
    expect(await outcome(scene.ask(machine, "POST", own, { body: content("1") }))).toBe("200");
    expect(await outcome(scene.ask(machine, "POST", own, { body: content("2") }))).toBe(
      "403 gateway-name-taken",
    );
    for (const target of [...refused, own])
      expect([target, await outcome(scene.ask(machine, "DELETE", target))]).toEqual([
        target,
        "403 gateway-append-only",
      ]);
    for (const method of ["PUT", "PATCH"])
      expect(await outcome(scene.ask(machine, method, "config", { body: content("x") }))).toBe(
        "405 gateway-method",
      );
    expect(await scene.counted(machine)).toMatchObject({ objects: 7 });
    for (const _again of [1, 2])
      expect(await outcome(scene.ask(machine, "DELETE", `locks/${lock}`))).toBe("200");
    expect(await scene.counted(machine)).toEqual({ objects: 6, bytes: 5 + 4 * 4 + 1 });
  });
  it("are refused when they are not what their name says, too long, or of no known length", async () => {
    await create();
    const name = hashed(content("right"));
    const uploads = async (target: string, text: string): Promise<string> =>
      await outcome(scene.ask(machine, "POST", target, { body: content(text) }));
    for (const type of ["data", "keys", "locks", "index", "snapshots"])
      expect([type, await uploads(`${type}/${name}`, "wrong")]).toEqual([type, "400 gateway-hash"]);
    // Nor may what is there be "uploaded" with other content.
    await store("data", "right");
    expect(await uploads(`data/${name}`, "wrong")).toBe("400 gateway-hash");
    expect(await uploads(`data/${name}`, "right")).toBe("200");
    expect(await uploads("config", "c".repeat(70_000))).toBe("413 gateway-too-large");
    const chunked = await sendRaw(
      `${rawRequest("POST", `${machine.path}keys/${name}`, "transfer-encoding: chunked\r\n")}5\r\nright\r\n0\r\n\r\n`,
    );
    expect(chunked).toMatch(/^HTTP\/1.1 411 [\s\S]*gateway-no-length/);
    const tooMuch = 2 ** 40;
    const huge = await sendRaw(
      rawRequest("POST", `${machine.path}data/${name}`, `content-length: ${tooMuch}\r\n`),
    );
    expect(huge).toMatch(/^HTTP\/1.1 413 /);
    expect(huge).toMatch(/connection: close/i);
    expect(await scene.counted(machine)).toEqual({ bytes: 5, objects: 1 });
  });
  it("of a repository that was never created are in no folder; an object storage has none", async () => {
    const body = content("x");
    expect(await outcome(scene.ask(machine, "GET", "config"))).toBe("404 gateway-absent");
    const stored = await outcome(scene.ask(machine, "POST", `data/${hashed(body)}`, { body }));
    expect(stored).toBe(storage === undefined ? "404 gateway-not-created" : "200");
    expect(existsSync(scene.folderOf(machine))).toBe(false);
    const counts = storage === undefined ? { bytes: 0, objects: 0 } : { bytes: 1, objects: 1 };
    expect(await scene.counted(machine)).toEqual(counts);
  });
});

describe("accounts", () => {
  it("open one place only", async () => {
    const other = await scene.machineOf(machine.tenantId);
    await create();
    await create(other);
    await store("keys", "mine");
    const places = [other.path, `/gateway/${machine.repositoryId}/${other.agentId}/`];
    places.push(`/gateway/${other.repositoryId}/${machine.agentId}/`);
    places.push(`/gateway/${randomUUIDv7()}/${machine.agentId}/`);
    for (const place of places)
      for (const [method, target] of [
        ["GET", "keys/"],
        ["POST", "?create=true"],
        ["GET", "config"],
      ] as const) {
        const answer = await fetch(`${scene.url}${place}${target}`, {
          method,
          headers: { authorization: basic(machine) },
        });
        expect([place, answer.status]).toEqual([place, 401]);
        expect(answer.headers.get("www-authenticate")).toContain("Basic ");
      }
    const wrong = [
      undefined,
      "",
      "Basic",
      "Basic !!!!",
      `Basic ${Buffer.from(machine.agentId).toString("base64")}`,
      basic({ ...machine, password: "" }),
      basic({ ...machine, password: `${machine.password}x` }),
      basic({ ...machine, password: other.password }),
      basic({ ...other, password: machine.password }),
      `Bearer ${machine.password}`,
    ];
    for (const authorization of wrong) {
      const headers = authorization === undefined ? {} : { authorization };
      const answer = await fetch(`${scene.url}${machine.path}keys/`, { headers });
      expect([authorization, answer.status]).toEqual([authorization, 401]);
    }
  });
  it("are closed at once, and opened again", async () => {
    await create();
    await store("keys", "mine");
    const listed = async (): Promise<string> => await outcome(scene.ask(machine, "GET", "keys/"));
    for (const [status, answer] of [
      ["revoked", "403 gateway-revoked"],
      ["active", "200"],
      ["suspended", "403 gateway-suspended"],
      ["active", "200"],
      ["pending", "403 gateway-revoked"],
    ] as const) {
      await ground.database
        .updateTable("agents")
        .set({ status: status as "active" })
        .where("id", "=", machine.agentId)
        .execute();
      expect([status, await listed()]).toEqual([status, answer]);
    }
    // Who does not know the password does not learn it.
    const stranger = scene.ask({ ...machine, password: "x" }, "GET", "keys/");
    expect(await outcome(stranger)).toBe("401 gateway-account");
  });
  it("whose lease has ended read everything and lock, and store nothing", async () => {
    await create();
    const name = await store("data", "before");
    const end = ground.now();
    await ground.database
      .updateTable("tenants")
      .set({ lease_until_ms: end + 1000 })
      .where("id", "=", machine.tenantId)
      .execute();
    await store("data", "still");
    ground.advance(1000);
    for (const target of ["?create=true", "config", `data/${hashed(content("late"))}`])
      expect(await outcome(scene.ask(machine, "POST", target, { body: content("late") }))).toBe(
        "403 gateway-lease",
      );
    const lock = await store("locks", "a lock");
    expect(await (await scene.ask(machine, "GET", `data/${name}`)).text()).toBe("before");
    expect(await outcome(scene.ask(machine, "DELETE", `locks/${lock}`))).toBe("200");
    ground.setTime(end);
  });
  it("never show in what is logged, and figures name nobody", async () => {
    await create();
    await store("data", "counted");
    await scene.ask({ ...machine, password: "a-wrong-password" }, "GET", "config");
    const figures = await scene.registry.metrics();
    expect(figures).toMatch(/^backstay_gateway_requests_total\{operation="upload"\} [1-9]/m);
    expect(figures).toMatch(/^backstay_gateway_refused_total\{reason="gateway-account"\} [1-9]/m);
    expect(figures).toMatch(/^backstay_gateway_bytes_total\{direction="in"\} [1-9]/m);
    expect(figures).toMatch(/^backstay_gateway_requests_under_way \d/m);
    const shown = figures + ground.logged.join("\n");
    for (const secret of [machine.password, basic(machine), "a-wrong-password"])
      expect(shown).not.toContain(secret);
    expect(figures).not.toContain(machine.agentId);
  });
});

describe("addresses", () => {
  it("that want to lead elsewhere lead nowhere", async () => {
    const victim = await scene.machineOf(machine.tenantId);
    await create();
    await create(victim);
    const secret = await store("keys", "of the victim", victim);
    const canary = "outside-of-all-accounts";
    const dataFolder = path.join(folder, "data");
    writeFileSync(path.join(dataFolder, "config"), canary);
    writeFileSync(path.join(dataFolder, "repositories", "config"), canary);
    const before = filesBelow(dataFolder);
    const up = [
      "..",
      "%2e%2e",
      "%2E%2e",
      ".%2e",
      "%252e%252e",
      "..;",
      "..%00",
      "\u00c0\u00ae\u00c0\u00ae",
      "%c0%ae%c0%ae",
      "%ef%bc%8e%ef%bc%8e",
      "..%5c..",
    ];
    const slashes = ["/", "%2f", "%2F", "%252f", "\\", "%5c", "//", "/./", "%c0%af"];
    const other = `${victim.repositoryId}/${victim.agentId}`;
    const targets: string[] = [];
    for (const dots of up)
      for (const slash of slashes) {
        const twice = [dots, dots].join(slash);
        targets.push(`${machine.path}${[twice, other, "keys", secret].join(slash)}`);
        targets.push(
          `${machine.path}backstay${slash}${[dots, dots, dots, dots, "config"].join(slash)}`,
        );
      }
    const base = machine.path.slice(0, -1);
    targets.push(
      `${base}//config`,
      `${base}/%63onfig`,
      `${base}/config%00`,
      `${base}/config%0a`,
      `${base}/config?x`,
      `${base}/config#x`,
      `${base}/config;x`,
      `${base}/data/%`,
      `${base}/data/%zz`,
      `${base}/backstay/${"a".repeat(129)}`,
      `${base}/backstay/${"a".repeat(9000)}`,
      `${base}/backstay/${encodeURIComponent("\u0130\u202e/..")}`,
      `http://gateway${base}/config`,
      `//gateway${base}/config`,
      `${base.replace("/gateway/", "/gateway/../gateway/")}/config`,
      `/../${dataFolder}/config`,
      `${base}/${dataFolder}/config`,
      `${base}${path.join(dataFolder, "config")}`,
    );
    await Promise.all(
      targets.map(async (target) => {
        for (const method of ["GET", "DELETE"]) {
          const answer = await sendRaw(rawRequest(method, target));
          expect([target, answer]).toEqual([target, expect.stringMatching(/^HTTP\/1.1 4\d\d /)]);
          expect(answer).not.toContain(canary);
          expect(answer).not.toContain("of the victim");
        }
        const upload = await sendRaw(
          `${rawRequest("POST", target, "content-length: 7\r\n")}written`,
        );
        expect([target, upload]).toEqual([target, expect.stringMatching(/^HTTP\/1.1 4\d\d /)]);
      }),
    );
    expect(filesBelow(dataFolder)).toEqual(before);
    expect(readFileSync(path.join(dataFolder, "config"), "utf8")).toBe(canary);
  }, 60_000);
  it("follow no link that somebody put into the folder", async () => {
    await create();
    const name = randomBytes(32).toString("hex");
    const outside = path.join(folder, "outside");
    writeFileSync(outside, "outside");
    mkdirSync(path.join(scene.folderOf(machine), "keys"), { recursive: true });
    symlinkSync(outside, path.join(scene.folderOf(machine), "keys", name));
    expect(await outcome(scene.ask(machine, "GET", `keys/${name}`))).toBe("404 gateway-absent");
  });
});

/** Paths below a folder with the sizes of files, without what comes and goes. */
function filesBelow(place: string): string[] {
  return readdirSync(place, { recursive: true, encoding: "utf8" })
    .filter((name) => !name.includes(".incoming"))
    .sort();
}
