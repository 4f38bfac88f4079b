/** Pure rooms stay pure, and only platform/ asks which system it runs on. */
import { expect, it } from "vitest";
import { isTestFile, readText, sourceFiles } from "./checkout.ts";
import { impurities, mayAskForSystem, pureRooms } from "./purity.ts";
import { readFacts } from "./source-facts.ts";

const shipped = sourceFiles().filter((file) => !isTestFile(file));

it("no pure room touches the outside world", () => {
  const pure = shipped.filter((file) => pureRooms.some((room) => room.holds.test(file)));
  expect(pure.length).toBeGreaterThan(10);
  expect(pure.flatMap((file) => impurities(file, readFacts(file, readText(file))))).toEqual([]);
});

it("only platform/ asks which system it runs on", () => {
  const asking = sourceFiles().filter((file) =>
    readFacts(file, readText(file)).uses.has("process.platform"),
  );
  expect(asking.filter((file) => file.startsWith("platform/")).length).toBeGreaterThan(0);
  expect(asking.filter((file) => !mayAskForSystem(file))).toEqual([]);
});

it("finds what is seeded", () => {
  const text =
    'import { readFileSync } from "node:fs"; export async function f() { return Date.now() + +new Date(); }';
  const facts = readFacts("agent/policy/x.ts", text);
  expect(impurities("agent/policy/x.ts", facts)).toEqual([
    "agent/policy/x.ts: a pure room may not import node:fs; take what it gives through a port",
    "agent/policy/x.ts: a pure room may not wait; return data instead",
    "agent/policy/x.ts: a pure room may not use Date.now; take a parameter",
    "agent/policy/x.ts: a pure room may not use new Date(); take a parameter",
  ]);
  expect(impurities("agent/backup/x.ts", facts)).toEqual([]);
  expect(mayAskForSystem("agent/backup/x.ts")).toBe(false);
});
