import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LogLine } from "../../../protocol/local-api/log-line.ts";
import { DaemonLog, type LogOptions } from "./daemon-log.ts";
import type { LogFields } from "./log-fields.ts";

let folder = "";
let printed: string[] = [];
let troubles: (string | undefined)[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-log-"));
  printed = [];
  troubles = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function openLog(options: Partial<LogOptions> = {}): DaemonLog {
  return new DaemonLog({
    nowMs: () => 1_700_000_000_000,
    isJournal: false,
    file: path.join(folder, "log", "backstayd.log"),
    print: (text) => printed.push(text),
    onTrouble: (problem) => troubles.push(problem),
    ...options,
  });
}

describe("the daemon's log", () => {
  it("writes a line of JSON for each event", () => {
    const log = openLog();
    log.warning("The target is gone.", { policy: "documents", code: "STORE_MISSING" });
    log.close();
    const [line] = readFileSync(path.join(folder, "log", "backstayd.log"), "utf8").split("\n");
    expect(JSON.parse(line ?? "")).toEqual({
      level: "warning",
      time: 1_700_000_000_000,
      policy: "documents",
      code: "STORE_MISSING",
      text: "The target is gone.",
    });
  });

  it("gives the journal priorities and no file", () => {
    const log = openLog({ isJournal: true });
    log.setLevel("debug");
    log.debug("a");
    log.info("b");
    log.warning("c");
    log.error("d");
    expect(printed.map((line) => line.slice(0, 3))).toEqual(["<7>", "<6>", "<4>", "<3>"]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("leaves out lines below its level, also if that changes", () => {
    const log = openLog();
    log.debug("no");
    log.setLevel("error");
    log.warning("no");
    log.error("yes");
    expect(log.read(10).lines.map(({ text }) => text)).toEqual(["yes"]);
  });

  it("has no secrets: neither known ones nor passwords in addresses nor unknown fields", () => {
    const log = openLog();
    log.redaction.hide("correct horse");
    const fields = { problem: "bad: correct horse", password: "staple" } as LogFields;
    log.failure("Failed.", new Error("rest:https://ann:battery@host/ refused"), fields);
    log.info("said correct horse", fields);
    const text = readFileSync(path.join(folder, "log", "backstayd.log"), "utf8");
    expect(text).not.toMatch(/correct horse|staple|battery/);
    expect(text).toContain("ann:***@host");
  });

  it("keeps few files of limited size, and every line in order", () => {
    const log = openLog({ rotation: { sizeBytes: 1_000, files: 2 } });
    for (let number = 0; number < 60; number += 1) log.info(`line ${number}`);
    log.close();
    const names = readdirSync(path.join(folder, "log")).toSorted();
    expect(names).toEqual(["backstayd.log", "backstayd.log.1", "backstayd.log.2"]);
    const texts = names.toReversed().map((name) => path.join(folder, "log", name));
    for (const file of texts) expect(statSync(file).size).toBeLessThanOrEqual(1_000);
    const numbers = texts
      .flatMap((file) => readFileSync(file, "utf8").trim().split("\n"))
      .map((line) => Number((JSON.parse(line) as { text: string }).text.slice(5)));
    expect(numbers).toEqual(Array.from(numbers, (_, at) => 60 - numbers.length + at));
  });

  it("goes on from the lines of the last start, and tells followers of each new one once", () => {
    const first = openLog();
    first.info("before");
    first.close();
    const log = openLog();
    const heard: LogLine[] = [];
    const reading = log.read(10, (line) => heard.push(line));
    log.info("after", { count: 3 });
    reading.stop();
    log.info("unheard");
    expect(reading.lines.map(({ text }) => text)).toEqual(["before"]);
    expect(heard).toEqual([
      { timeMs: 1_700_000_000_000, level: "info", text: "after", fields: { count: 3 } },
    ]);
    expect(log.read(2).lines.map(({ text }) => text)).toEqual(["after", "unheard"]);
  });

  it("tells once that it can't write, works on, and tells when it can again", () => {
    const blocked = path.join(folder, "log");
    writeFileSync(blocked, "no folder");
    const log = openLog();
    log.info("a");
    log.info("b");
    expect(troubles).toHaveLength(1);
    expect(log.read(5).lines).toHaveLength(2);
    rmSync(blocked);
    log.info("c");
    expect(troubles.at(-1)).toBe(undefined);
    expect(readFileSync(path.join(folder, "log", "backstayd.log"), "utf8")).toContain('"c"');
  });
});
