import { afterEach, expect, it } from "vitest";
import { FakeClock } from "../../platform/fake/fake-clock.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { agentApi, answerHeaders } from "../../protocol/control/agent-api.ts";
import { agentRefusal } from "../../protocol/control/agent-problem.ts";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import { ControlLoop, type ControlLoopParts } from "./control-loop.ts";
import type { ServerAnswer, ServerCall } from "./server-calls.ts";

const secondMs = 1000;
const holdMs = 50 * secondMs;
const never = new AbortController().signal;
const loops: ControlLoop[] = [];

afterEach(async () => {
  await Promise.all(loops.splice(0).map(async (loop) => await loop.stop()));
});

const answerOf = (
  status: number,
  body?: unknown,
  headers: Record<string, string> = {},
): ServerAnswer => ({ status, body, header: (name) => headers[name] });
const poll = answerOf(304, undefined, { [answerHeaders.poll]: "300" });

/** A loop with nothing to tell; `answer` is the server. */
function started(
  clock: FakeClock,
  answer: (call: ServerCall) => ServerAnswer | Promise<ServerAnswer>,
  given: Partial<ControlLoopParts> = {},
): ControlLoop {
  const loop = new ControlLoop({
    link: {
      call: async (call) => {
        call.signal.throwIfAborted();
        return await answer(call);
      },
    },
    bundles: { hash: "h", accept: () => undefined },
    commands: {
      recover: () => undefined,
      fetch: async () => await Promise.resolve(),
      tell: async () => await Promise.resolve(),
      refresh: () => undefined,
      recall: () => undefined,
      stop: async () => await Promise.resolve(),
    },
    reports: {
      send: async () => await Promise.resolve(),
      unheeded: () => undefined,
      recall: () => undefined,
    },
    status: {
      isBusy: false,
      send: async () => await Promise.resolve(undefined),
      recall: () => undefined,
    },
    clock,
    chance: seededRandom(1),
    isNewlyEnrolled: true,
    ...given,
  });
  loops.push(loop);
  loop.start();
  return loop;
}

/** As the server does: nothing for so long. */
async function hold(clock: FakeClock, { signal }: ServerCall): Promise<ServerAnswer> {
  await clock.sleep(holdMs, signal);
  return answerOf(204);
}

/** Until the clock stands there. */
async function untilTime(clock: FakeClock, atMs: number): Promise<void> {
  await clock.sleep(atMs - clock.monotonic(), never);
}

it("of many machines makes no stampede after an outage of ten minutes, and no echo of it", async () => {
  const machines = 100;
  const minuteMs = 60 * secondMs;
  const outage = { beginMs: 15 * minuteMs, endMs: 25 * minuteMs };
  const endMs = 65 * minuteMs;
  const windowMs = minuteMs;
  const requests = new Array<number>(endMs / windowMs + 1).fill(0);
  const clock = new FakeClock();
  const chance = seededRandom(11);
  const isAway = (): boolean =>
    clock.monotonic() >= outage.beginMs && clock.monotonic() < outage.endMs;
  const away = new BackstayError("LINK_FAILED", { problem: "nothing answers" });
  // Connections that are held break at its begin.
  let breaking = new AbortController();
  const answer = async (call: ServerCall): Promise<ServerAnswer> => {
    const window = Math.floor(clock.monotonic() / windowMs);
    if (window < requests.length) requests[window] = (requests[window] ?? 0) + 1;
    if (isAway()) throw away;
    if (call.isHeld !== true) return poll;
    try {
      return await hold(clock, {
        ...call,
        signal: AbortSignal.any([call.signal, breaking.signal]),
      });
    } catch (error) {
      call.signal.throwIfAborted();
      throw error;
    }
  };
  for (let machine = 0; machine < machines; machine++)
    started(clock, answer, { chance, isNewlyEnrolled: false });
  await untilTime(clock, outage.beginMs);
  breaking.abort(away);
  breaking = new AbortController();
  await untilTime(clock, endMs);
  const sumOf = (fromMs: number, untilMs: number): number[] =>
    requests.slice(fromMs / windowMs, untilMs / windowMs);
  const mean = (counts: readonly number[]): number =>
    counts.reduce((sum, count) => sum + count, 0) / counts.length;
  const steady = mean(sumOf(5 * minuteMs, outage.beginMs));
  // Polls of five minutes, and requests that are held for 50 seconds.
  expect(steady / machines).toBeGreaterThan(1);
  // While nothing answers there are few attempts, and fewer as time goes by.
  expect(mean(sumOf(outage.beginMs + 5 * minuteMs, outage.endMs))).toBeLessThan(steady / 3);
  const after = sumOf(outage.endMs, endMs);
  expect(Math.max(...after) / steady).toBeLessThan(1.5);
  // Half an hour later everybody is back.
  expect(mean(sumOf(endMs - 15 * minuteMs, endMs)) / steady).toBeCloseTo(1, 1);
});

it("obeys Retry-After, for polls and for held requests", async () => {
  const clock = new FakeClock();
  const asked: number[] = [];
  let refusals = 3;
  started(clock, async (call) => {
    if (call.isHeld === true) return await hold(clock, call);
    asked.push(clock.monotonic());
    if (refusals-- <= 0) return poll;
    const { context } = agentRefusal("overloaded");
    throw new BackstayError("AGENT_REFUSED", { ...context, retryAfterSeconds: 2000 });
  });
  await untilTime(clock, 12_000 * secondMs);
  for (const at of [1, 2, 3]) {
    const waitedMs = (asked[at] ?? 0) - (asked[at - 1] ?? 0);
    expect(waitedMs).toBeGreaterThanOrEqual(2000 * secondMs);
    expect(waitedMs).toBeLessThanOrEqual(3000 * secondMs);
  }
  // The first good poll ends the waiting.
  expect((asked[4] ?? 0) - (asked[3] ?? 0)).toBeLessThanOrEqual(360 * secondMs);
});

it("backs off from every kind of failure, also of what is no answer of a server", async () => {
  const kinds: (() => ServerAnswer)[] = [
    () => {
      throw new BackstayError("LINK_FAILED", { problem: "a proxy's 401" });
    },
    () => {
      throw agentRefusal("agent-unknown");
    },
    () => {
      throw new TypeError("a mistake of ours");
    },
    () => answerOf(200, { nothing: true }, { [answerHeaders.poll]: "300" }),
    () => answerOf(204),
  ];
  for (const kind of kinds) {
    const clock = new FakeClock();
    let polls = 0;
    let contacts = 0;
    const loop = started(
      clock,
      () => {
        polls += 1;
        return kind();
      },
      {
        onContact: () => {
          contacts += 1;
        },
      },
    );
    await untilTime(clock, 3600 * secondMs);
    expect(loop.contact).toMatchObject({ lastGoodMs: undefined, failures: polls });
    expect(contacts).toBe(polls);
    // 30 s, 1, 2, 4, 8 minutes, then a quarter of an hour each, spread.
    expect(polls).toBeGreaterThanOrEqual(5);
    expect(polls).toBeLessThanOrEqual(12);
    await loop.stop();
  }
});

it("does what a held request tells of, and goes back to polling alone where there is no room to hold one", async () => {
  const clock = new FakeClock();
  const paths: string[] = [];
  let wakes = 0;
  let fetched = 0;
  const commands = {
    recover: () => undefined,
    fetch: async () => {
      fetched += 1;
      return await Promise.resolve();
    },
    tell: async () => await Promise.resolve(),
    refresh: () => undefined,
    recall: () => undefined,
    stop: async () => await Promise.resolve(),
  };
  started(
    clock,
    (call) => {
      paths.push(call.path);
      if (call.isHeld !== true) return poll;
      wakes += 1;
      if (wakes > 1) return answerOf(204, undefined, { [answerHeaders.wake]: "off" });
      const news = { cursor: "c 1", bundle: true, commands: 2 };
      return answerOf(200, news);
    },
    { commands },
  );
  await untilTime(clock, 100 * secondMs);
  // At its start, and because it was told.
  expect(fetched).toBe(2);
  expect(paths.slice(0, 2)).toEqual([agentApi.bundle, `${agentApi.wake}?cursor=`]);
  // The bundle came at once, long before the next poll was due.
  expect(paths.slice(2).toSorted()).toEqual([agentApi.bundle, `${agentApi.wake}?cursor=c%201`]);
  await untilTime(clock, 840 * secondMs);
  expect(wakes).toBe(2);
});

it("tells again what a server has forgotten, once for each gap", async () => {
  const clock = new FakeClock();
  const told: string[] = [];
  let heededMs = 0;
  const gaps = "1000000-500000,2000000-1500000";
  started(
    clock,
    async (call) => {
      if (call.isHeld !== true) return poll;
      await clock.sleep(holdMs, call.signal);
      return answerOf(204, undefined, { [answerHeaders.memory]: gaps });
    },
    {
      reports: {
        send: async () => await Promise.resolve(),
        unheeded: (given) => {
          const fresh = given.filter(({ notedMs }) => notedMs > heededMs);
          return fresh.length === 0 ? undefined : { notedMs: 2_000_000, reachesMs: 380_000 };
        },
        recall: (gap) => {
          told.push(`reports since ${gap.reachesMs}`);
          heededMs = gap.notedMs;
        },
      },
      status: {
        isBusy: false,
        send: async () => await Promise.resolve(undefined),
        recall: () => told.push("status"),
      },
    },
  );
  await untilTime(clock, 600 * secondMs);
  expect(told).toEqual(["status", "reports since 380000"]);
});
