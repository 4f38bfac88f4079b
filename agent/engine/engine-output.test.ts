import { PassThrough, Writable } from "node:stream";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { EngineMessage, RunReport } from "../../protocol/run-order.ts";
import { EngineOutput } from "./engine-output.ts";

const report: RunReport = { outcome: "canceled", exitCode: 130, issues: 0 };
const progressAt = (filesDone: number) => ({
  filesDone,
  bytesDone: 0,
  currentFiles: [],
  issues: 0,
  elapsedMs: 0,
});
const plain = (text: string): string => text;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
});
afterEach(() => vi.useRealTimers());

function reading(stream: PassThrough): () => EngineMessage[] {
  let text = "";
  stream.on("data", (data: Buffer) => (text += data.toString()));
  return () =>
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as EngineMessage);
}

it("tells the newest progress four times a second, and nothing if nothing has changed", async () => {
  const stream = new PassThrough();
  const messages = reading(stream);
  const output = new EngineOutput(stream, plain, expect.unreachable);
  for (let i = 1; i <= 100; i += 1) {
    output.progress(progressAt(i));
    vi.advanceTimersByTime(10);
  }
  vi.advanceTimersByTime(5000);
  output.progress(progressAt(101));
  await output.finish(report);
  const told = messages().map((message) =>
    message.type === "progress" ? message.progress.filesDone : message.type,
  );
  expect(told).toEqual([25, 50, 75, 100, 101, "report"]);
});

it("gives a sign of life every ten seconds", () => {
  const stream = new PassThrough();
  const messages = reading(stream);
  new EngineOutput(stream, plain, expect.unreachable);
  vi.advanceTimersByTime(60_000);
  stream.read();
  expect(messages()).toEqual(Array(6).fill({ type: "alive" }));
});

it("leaves out progress, but no issue, while the reader lags behind", async () => {
  const stream = new PassThrough({ highWaterMark: 1 });
  const output = new EngineOutput(stream, plain, expect.unreachable);
  for (let i = 0; i < 1500; i += 1)
    output.issue({ path: `/f${i}`, code: "EIO", message: "m".repeat(500) });
  for (let i = 0; i < 20; i += 1) {
    output.progress(progressAt(i));
    vi.advanceTimersByTime(1000);
  }
  const unread = stream.writableLength;
  vi.advanceTimersByTime(3_600_000);
  expect(stream.writableLength).toBe(unread);
  const messages = reading(stream);
  await output.finish({ ...report, issues: output.issues });
  expect(messages().filter(({ type }) => type === "issue")).toHaveLength(1000);
  expect(messages().at(-1)).toEqual({ type: "report", report: { ...report, issues: 1500 } });
});

it("says once that the reader is gone, and goes on without", async () => {
  const stream = new Writable({
    write: (_data, _encoding, done) => done(new Error("EPIPE")),
  });
  let gone = 0;
  const output = new EngineOutput(stream, plain, () => {
    gone += 1;
  });
  output.issue({ path: "", code: "X", message: "" });
  await new Promise(setImmediate);
  output.issue({ path: "", code: "X", message: "" });
  vi.advanceTimersByTime(60_000);
  await output.finish(report);
  expect([gone, output.issues]).toEqual([1, 2]);
});

it("redacts what it says", async () => {
  const stream = new PassThrough();
  const messages = reading(stream);
  const output = new EngineOutput(
    stream,
    (text) => text.replaceAll("secret", "***"),
    expect.unreachable,
  );
  output.issue({ path: "/secret", code: "EIO", message: "no secret" });
  await output.finish(report);
  expect(messages()[0]).toEqual({
    type: "issue",
    issue: { path: "/***", code: "EIO", message: "no ***" },
  });
});
