import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EngineMessage } from "../../protocol/run-order.ts";
import { goodReport } from "../../test/jobs/shell-engine.ts";
import { EngineMessages } from "./engine-messages.ts";

const messages: EngineMessage[] = [
  { type: "alive" },
  { type: "issue", issue: { path: "/ü\n\u{1f600}", code: "EIO", message: "m" } },
  {
    type: "progress",
    progress: { filesDone: 1, bytesDone: 2, currentFiles: ["/x"], issues: 0, elapsedMs: 3.5 },
  },
  { type: "report", report: goodReport },
];
const stream = Buffer.from(messages.map((message) => `${JSON.stringify(message)}\n`).join(""));

it("reads the same messages however the stream is cut", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length), { maxLength: 20 }), (cuts) => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
      const reader = new EngineMessages();
      const read = places
        .slice(1)
        .flatMap((end, i) => reader.read(stream.subarray(places[i], end)));
      expect(read).toEqual(messages);
    }),
  );
});

describe("what is no message", () => {
  it.each([
    "hello",
    "",
    "null",
    "[]",
    '{"type":"other"}',
    '{"type":"progress"}',
    '{"type":"progress","progress":{"filesDone":-1,"bytesDone":0,"issues":0,"elapsedMs":0,"currentFiles":[]}}',
    '{"type":"issue","issue":{"path":1}}',
    '{"type":"report","report":{"outcome":"success"}}',
  ])("%j is refused", (line) => {
    expect(() => new EngineMessages().read(Buffer.from(`${line}\n`))).toThrow(/^it said/);
  });

  it("any bytes are read or refused", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        try {
          expect(Array.isArray(new EngineMessages().read(Buffer.from(bytes)))).toBe(true);
        } catch (error) {
          expect(String(error)).toMatch(/it said/);
        }
      }),
    );
  });

  it("a line without end is refused, however it comes", () => {
    const reader = new EngineMessages();
    const part = Buffer.alloc(60_000, "x");
    expect(() => {
      for (let i = 0; i < 18; i += 1) reader.read(part);
    }).toThrow(/never ends/);
  });
});
