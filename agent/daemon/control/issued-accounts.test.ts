import { beforeEach, expect, it } from "vitest";
import { FakeClock } from "../../../platform/fake/fake-clock.ts";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { agentRefusal } from "../../../protocol/control/agent-problem.ts";
import { newPrivateKey, rawPublicKey } from "../../../protocol/control/curve-keys.ts";
import { sealSecret } from "../../../protocol/control/sealed-secret.ts";
import type { StorageAccountContent } from "../../../protocol/control/storage-account.ts";
import type { RouteOrder } from "../../../protocol/run-order.ts";
import { accountsFact, IssuedAccounts } from "./issued-accounts.ts";

const lifeMs = 3_600_000;
const route: RouteOrder = { kind: "direct", url: "s3:host/bucket/a", issuedFor: "repository-1" };
const away = new BackstayError("LINK_FAILED", { server: "s", problem: "nothing listens there" });

let clock: FakeClock;
let facts: Map<string, unknown>;
let sealingKey: ReturnType<typeof newPrivateKey>;
let asked: URLSearchParams[];
/** What goes wrong with the next question. */
let failure: Error | undefined;
let content: Partial<StorageAccountContent>;

beforeEach(() => {
  clock = new FakeClock();
  facts = new Map();
  sealingKey = newPrivateKey("x25519");
  asked = [];
  failure = undefined;
  content = {};
});

/** As after a start of the daemon. */
function accounts(): IssuedAccounts {
  return new IssuedAccounts({
    link: {
      call: async ({ path }) => {
        asked.push(new URL(path, "https://server.example").searchParams);
        if (failure !== undefined) throw failure;
        const given: StorageAccountContent = {
          repositoryId: route.issuedFor ?? "",
          address: route.url,
          settings: { number: String(asked.length) },
          issuedMs: clock.now(),
          expiresMs: clock.now() + lifeMs,
          ...content,
        };
        const account = sealSecret(Buffer.from(JSON.stringify(given)), rawPublicKey(sealingKey));
        return { status: 200, header: () => undefined, body: { account } };
      },
    },
    facts: {
      get: (name) => facts.get(name),
      put: (name, value) => void facts.set(name, JSON.parse(JSON.stringify(value))),
      remove: (name) => void facts.delete(name),
    },
    sealingKey,
    clock,
    nowMs: () => clock.now(),
    signal: new AbortController().signal,
    onFailure: () => undefined,
  });
}

it("come from the server, and say what is left of their life", async () => {
  const source = accounts();
  const first = await source.account(route, undefined);
  expect(first).toMatchObject({ settings: { number: "1" }, remainingMs: lifeMs });
  expect(Object.fromEntries(asked[0])).toEqual({ repository: "repository-1", address: route.url });
  clock.advance(60_000);
  const again = await source.account(route, undefined);
  expect(again).toMatchObject({ settings: { number: "1" }, remainingMs: lifeMs - 60_000 });
});

it("are kept sealed, so that a restart without the server goes on until they end", async () => {
  await accounts().account(route, undefined);
  expect(JSON.stringify(facts.get(accountsFact))).not.toContain("number");
  failure = away;
  clock.advance(lifeMs - 1);
  expect(await accounts().account(route, undefined)).toMatchObject({ settings: { number: "1" } });
  clock.advance(1);
  await expect(accounts().account(route, undefined)).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    context: { problem: expect.stringContaining("nothing listens there") },
  });
});

it("are asked for again when what is kept is another identity's or another place's", async () => {
  await accounts().account(route, undefined);
  const other = newPrivateKey("x25519");
  sealingKey = other;
  expect(await accounts().account(route, undefined)).toMatchObject({ settings: { number: "2" } });
  content = { address: "s3:host/bucket/b" };
  const elsewhere = { ...route, url: "s3:host/bucket/c" };
  await expect(accounts().account(elsewhere, undefined)).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
  });
});

it("are renewed at once when a storage refuses the one that was given last", async () => {
  const source = accounts();
  const first = await source.account(route, undefined);
  const second = await source.account(route, first);
  expect(second.settings).toEqual({ number: "2" });
  expect(asked[1]?.get("refused")).toBe("yes");
  expect((await source.account(route, first)).settings).toEqual({ number: "2" });
});

it.each([
  ["agent-suspended", "STORE_DENIED"],
  ["agent-revoked", "STORE_DENIED"],
  ["not-found", "STORE_DENIED"],
  ["account-unavailable", "STORE_UNAVAILABLE"],
  ["rate-limited", "STORE_UNAVAILABLE"],
] as const)("are not to be had when the server says %s", async (problem, code) => {
  failure = agentRefusal(problem);
  await expect(accounts().account(route, undefined)).rejects.toMatchObject({ code });
});
