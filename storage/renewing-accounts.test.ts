import { beforeEach, expect, it } from "vitest";
import { FakeClock } from "../platform/fake/fake-clock.ts";
import { BackstayError } from "../protocol/backstay-error.ts";
import type { StorageAccount } from "./account-source.ts";
import { type FreshAccount, RenewingAccounts } from "./renewing-accounts.ts";

const lifeMs = 3_600_000;
const away = new BackstayError("STORE_UNAVAILABLE", { problem: "the server is away" });
const signal = new AbortController().signal;

let clock: FakeClock;
let asked: (StorageAccount | undefined)[];
/** What the next questions are answered, the usual account afterwards. */
let answers: (Error | Promise<FreshAccount>)[];
let failures: unknown[];

function fresh(): FreshAccount {
  const settings = { number: String(asked.length) };
  return { account: { settings, expiresMs: clock.now() + lifeMs }, remainingMs: lifeMs };
}

function accounts(nextWaitMs: number, firstWaitMs = 0): RenewingAccounts {
  return new RenewingAccounts({
    ask: async (refused) => {
      asked.push(refused);
      const answer = answers.shift() ?? fresh();
      if (answer instanceof Error) throw answer;
      return await answer;
    },
    clock,
    random: () => 0.5,
    firstWaitMs,
    nextWaitMs,
    onFailure: (error) => failures.push(error),
  });
}

const settled = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  clock = new FakeClock();
  asked = [];
  answers = [];
  failures = [];
});

it("asks once for all who wait, and no more while two thirds of a life are not over", async () => {
  const source = accounts(0);
  const [first, second] = await Promise.all([source.account(signal), source.account(signal)]);
  expect(first).toBe(second);
  clock.advance((lifeMs * 2) / 3 - 1);
  expect(await source.account(signal)).toBe(first);
  await settled();
  expect(asked).toEqual([undefined]);
});

it("renews in time without keeping anybody waiting, and goes on with the old one while none is to be had", async () => {
  const source = accounts(0);
  const first = await source.account(signal);
  clock.advance((lifeMs * 2) / 3);
  answers = [away];
  expect(await source.account(signal)).toBe(first);
  await settled();
  expect(failures).toEqual([away]);
  // Not at each request: after a while.
  expect(await source.account(signal)).toBe(first);
  await settled();
  expect(asked).toHaveLength(2);
  clock.advance(2000);
  expect(await source.account(signal)).toBe(first);
  await settled();
  expect((await source.account(signal)).settings).toEqual({ number: "3" });
});

it("renews one that the storage refuses, whatever is left of its life", async () => {
  const source = accounts(0);
  const first = await source.account(signal);
  const second = await source.account(signal, first);
  expect(second).not.toBe(first);
  expect(asked).toEqual([undefined, first]);
  // Somebody else was slower, and means the same one.
  expect(await source.account(signal, first)).toBe(second);
});

it("waits in mid-run when it has ended and none is to be had, with back-off, and then goes on", async () => {
  const source = accounts(Infinity);
  await source.account(signal);
  clock.advance(lifeMs);
  answers = Array.from({ length: 9 }, () => away);
  expect((await source.account(signal)).settings).toEqual({ number: "11" });
  expect(clock.sleeps).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000));
});

it("waits for the first one as long as it may, and fails with what is for good", async () => {
  answers = [away, away];
  expect((await accounts(0, 60_000).account(signal)).settings).toEqual({ number: "3" });
  answers = Array.from({ length: 9 }, () => away);
  await expect(accounts(Infinity, 10_000).account(signal)).rejects.toBe(away);
  answers = [];
  for (const [waitMs, failure] of [
    [Infinity, new BackstayError("STORE_DENIED", {})],
    [0, away],
  ] as const) {
    const source = accounts(waitMs);
    await source.account(signal);
    clock.advance(lifeMs);
    answers = [failure];
    await expect(source.account(signal)).rejects.toBe(failure);
  }
});

it("lets go of who does not want to wait any more, and keeps what comes for the next", async () => {
  const source = accounts(Infinity);
  const answer = Promise.withResolvers<FreshAccount>();
  answers = [answer.promise];
  const ending = new AbortController();
  const waiting = source.account(ending.signal);
  ending.abort(new Error("the end"));
  await expect(waiting).rejects.toThrow("the end");
  answer.resolve(fresh());
  expect((await source.account(signal)).settings).toEqual({ number: "1" });
  expect(asked).toHaveLength(1);
});

it("trusts no clock that was set back", async () => {
  const source = accounts(0);
  const first = await source.account(signal);
  clock.advance(-86_400_000);
  expect(await source.account(signal)).toBe(first);
  await settled();
  expect(await source.account(signal)).not.toBe(first);
});
