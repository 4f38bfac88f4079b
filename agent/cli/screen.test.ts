/** What reaches the two streams, and in which order. */
import { PassThrough, Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { Screen } from "./screen.ts";

interface Stage {
  readonly screen: Screen;
  /** Everything in the order in which it was written, notes behind `!`. */
  readonly written: () => string;
}

function stage(terminal: { columns: number; rows: number } | undefined, kind = "xterm"): Stage {
  const log: string[] = [];
  const stream = (mark: string): Writable =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        if (chunk.length > 0) log.push(`${mark}${chunk.toString()}`);
        done();
      },
    });
  const stdout = Object.assign(
    stream(""),
    terminal === undefined ? {} : { isTTY: true, ...terminal },
  );
  const screen = new Screen({ stdout, stderr: stream("!"), terminal: kind });
  return { screen, written: () => log.join("") };
}

/** What a terminal shows of a text with the few controls that a screen uses. */
function shown(text: string): string[] {
  const lines = [""];
  let row = 0;
  const visible = text.replaceAll("\u001b", "⎋");
  for (const part of visible.match(/⎋\[\d*[A-Z]|\r|\n|[^⎋\r\n]+/g) ?? []) {
    if (part === "\n") {
      row += 1;
      lines[row] ??= "";
    } else if (part === "⎋[J") {
      lines.length = row + 1;
      lines[row] = "";
    } else if (part.startsWith("⎋[")) row -= Number.parseInt(part.slice(2), 10);
    else if (part !== "\r") lines[row] += part;
  }
  return lines;
}

describe("without a terminal", () => {
  it("results are gathered, and no status is drawn", async () => {
    const { screen, written } = stage(undefined);
    screen.line("one");
    screen.drawBlock(["status"]);
    expect(written()).toBe("");
    await screen.settle();
    expect(written()).toBe("one\n");
  });

  it("a note comes after the results before it", () => {
    const { screen, written } = stage(undefined);
    screen.line("result");
    screen.note("note");
    expect(written()).toBe("result\n!note\n");
  });
});

describe("on a terminal", () => {
  it("the block is drawn in its own place, below all results", () => {
    const { screen, written } = stage({ columns: 80, rows: 24 });
    screen.drawBlock(["10%", "file a"]);
    screen.drawBlock(["20%", "file b", "file c"]);
    expect(shown(written())).toEqual(["20%", "file b", "file c"]);
    screen.line("result");
    screen.drawBlock(["30%"]);
    expect(shown(written())).toEqual(["result", "30%"]);
    screen.eraseBlock();
    expect(shown(written())).toEqual(["result", ""]);
  });

  it("lines are cut to the width and the block to the height", () => {
    const { screen, written } = stage({ columns: 20, rows: 4 });
    screen.drawBlock(["x".repeat(200), "2", "3", "4", "5"]);
    const lines = shown(written());
    expect(lines).toHaveLength(3);
    expect(lines[0]).toHaveLength(19);
  });

  it("that can't move its cursor gets no status", () => {
    const { screen, written } = stage({ columns: 80, rows: 24 }, "dumb");
    screen.drawBlock(["10%"]);
    expect(written()).toBe("");
  });
});

it("waits for a reader that is slow", async () => {
  const stdout = new PassThrough({ highWaterMark: 10 });
  const screen = new Screen({ stdout, stderr: new PassThrough(), terminal: undefined });
  screen.line("x".repeat(100));
  let isSettled = false;
  const settled = screen.settle().then(() => {
    isSettled = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(isSettled).toBe(false);
  stdout.resume();
  await settled;
});

it("tells once that the reader is gone, and writes no more", async () => {
  const stdout = new PassThrough();
  const screen = new Screen({ stdout, stderr: new PassThrough(), terminal: undefined });
  let told = 0;
  screen.onReaderGone = () => {
    told += 1;
  };
  stdout.destroy(new Error("EPIPE"));
  await new Promise((resolve) => setTimeout(resolve, 10));
  screen.line("nobody reads this");
  await screen.settle();
  await screen.finish();
  expect(told).toBe(1);
});
