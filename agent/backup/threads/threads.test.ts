import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { MessageChannel, Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import { type Mailbox, post } from "./inbox.ts";
import { ReadSlots } from "./read-slots.ts";

const workers: Worker[] = [];

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

/** Starts the thread that `source` describes; it has the exports of the files under test. */
function start(source: string, data: object, transfer: readonly MessagePort[] = []): Worker {
  const url = (file: string): string =>
    JSON.stringify(pathToFileURL(path.join(import.meta.dirname, file)).href);
  const code = `
    import { parentPort, workerData, threadId } from "node:worker_threads";
    import { Inbox, post } from ${url("./inbox.ts")};
    import { guardThread } from ${url("./guard-thread.ts")};
    import { ReadSlots } from ${url("./read-slots.ts")};
    import { BackstayError } from ${url("../../../protocol/backstay-error.ts")};
    ${source}`;
  const module = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
  const worker = new Worker(module, { workerData: data, transferList: [...transfer] });
  workers.push(worker);
  return worker;
}

type MessagePort = MessageChannel["port1"];

/** A thread that answers each number with `answer` of it, and two ways to send it some. */
function startEcho(answer: string): { to: Mailbox[]; stop: Int32Array } {
  const wake = new SharedArrayBuffer(4);
  const stop = new SharedArrayBuffer(4);
  const channels = [new MessageChannel(), new MessageChannel()];
  const ports = channels.map(({ port2 }) => port2);
  start(
    `const main = { port: workerData.ports[0], wake: new Int32Array(workerData.mainWake) };
    guardThread(1, main, () => {
      const stopped = new Int32Array(workerData.stop);
      const inbox = new Inbox(workerData.ports, new Int32Array(workerData.wake), () => {
        if (Atomics.load(stopped, 0) !== 0) throw new DOMException("stopped", "AbortError");
      });
      for (;;) { const message = inbox.wait(); post(main, ${answer}); }
    });`,
    { ports, wake, stop, mainWake: new SharedArrayBuffer(4) },
    ports,
  );
  return {
    to: channels.map(({ port1 }) => ({ port: port1, wake: new Int32Array(wake) })),
    stop: new Int32Array(stop),
  };
}

async function next(mailbox: Mailbox): Promise<unknown> {
  return await new Promise((resolve) => mailbox.port.once("message", resolve));
}

describe("an inbox", () => {
  it("loses no message of any port, whether the thread sleeps or not", async () => {
    const { to } = startEcho("message * 2");
    const heard: number[] = [];
    const all = Promise.withResolvers<void>();
    to[0].port.on("message", (value: number) => {
      heard.push(value);
      if (heard.length === 3000) all.resolve();
    });
    for (let i = 0; i < 3000; i += 1) {
      post(to[i % 2], i);
      if (i % 500 === 0) await sleep(2);
    }
    await all.promise;
    expect(heard.sort((a, b) => a - b)).toEqual(Array.from({ length: 3000 }, (_, i) => i * 2));
    for (const { port } of to) port.close();
  });

  it("keeps the order of each port", async () => {
    const { to } = startEcho("message");
    const answers: number[] = [];
    const all = Promise.withResolvers<void>();
    to[0].port.on("message", (value: number) => {
      answers.push(value);
      if (answers.length === 400) all.resolve();
    });
    for (let i = 0; i < 400; i += 1) post(to[i % 2], i);
    await all.promise;
    for (const parity of [0, 1]) {
      const own = answers.filter((value) => value % 2 === parity);
      expect(own).toEqual(own.toSorted((a, b) => a - b));
    }
    for (const { port } of to) port.close();
  });

  it("wakes a sleeping thread to stop, and its end is told", async () => {
    const { to, stop } = startEcho("message");
    post(to[0], 1);
    expect(await next(to[0])).toBe(1);
    await sleep(20);
    const told = next(to[0]);
    Atomics.store(stop, 0, 1);
    Atomics.add(to[0].wake, 0, 1);
    Atomics.notify(to[0].wake, 0);
    expect(await told).toMatchObject({ kind: "failed", thread: 1, name: "AbortError" });
    for (const { port } of to) port.close();
  });

  it("tells of a failure with its code, and of any other with its text", async () => {
    const { to } = startEcho(
      `(() => { if (message === 1) throw new BackstayError("STORE_FULL", { file: "x" }); throw "odd"; })()`,
    );
    const told = next(to[0]);
    post(to[0], 1);
    expect(await told).toMatchObject({ code: "STORE_FULL", context: { file: "x" } });
    const other = startEcho(`(() => { throw "odd"; })()`);
    const heard = next(other.to[0]);
    post(other.to[0], 1);
    expect(await heard).toMatchObject({ kind: "failed", message: "odd", code: undefined });
    for (const { port } of [...to, ...other.to]) port.close();
  });
});

describe("read slots", () => {
  it("let no more threads read than there are slots, and each in the end", async () => {
    const slots = ReadSlots.create(2);
    const state = new Int32Array(new SharedArrayBuffer(12));
    const readers = Array.from({ length: 4 }, () =>
      start(
        `const slots = new ReadSlots(workerData.slots);
        const state = new Int32Array(workerData.state);
        for (let i = 0; i < 200; i += 1) {
          slots.enter();
          const inside = Atomics.add(state, 0, 1) + 1;
          if (inside > 2) Atomics.add(state, 1, 1);
          if (i % 20 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
          Atomics.sub(state, 0, 1);
          slots.leave();
        }
        Atomics.add(state, 2, 1);`,
        { slots, state: state.buffer },
      ),
    );
    await Promise.all(
      readers.map((reader) => new Promise((resolve) => reader.once("exit", resolve))),
    );
    expect([...state]).toEqual([0, 0, 4]);
  });

  it("cost nothing where there is no bound", () => {
    const slots = new ReadSlots(ReadSlots.create(0));
    for (let i = 0; i < 10; i += 1) slots.enter();
    for (let i = 0; i < 20; i += 1) slots.leave();
    slots.enter();
  });
});
