/** Imports point down: the table of layers.ts against every file, and canaries that prove that it sees. */
import { describe, expect, it } from "vitest";
import { readText, sourceFiles } from "./checkout.ts";
import { importCycles, layers, layerTable, layerViolations } from "./layers.ts";
import { readFacts, type SourceFacts } from "./source-facts.ts";

/** Facts of files that exist only in this test. */
function factsOf(sources: Record<string, string>): Map<string, SourceFacts> {
  return new Map(
    Object.entries(sources).map(([file, text]) => [file, readFacts(file, text)] as const),
  );
}

describe("this checkout", () => {
  const files = sourceFiles().filter((file) => file.endsWith(".ts") || file.endsWith(".mjs"));
  const facts = new Map(files.map((file) => [file, readFacts(file, readText(file))] as const));

  it("has every file in a layer and every import pointing down", () => {
    expect(layerViolations(facts)).toEqual([]);
  });

  it("has no import cycles, not even of types", () => {
    expect(importCycles(facts)).toEqual([]);
  });

  it("was really read: files and imports of each kind were seen", () => {
    expect(facts.size).toBeGreaterThan(60);
    const imports = [...facts.values()].reduce((sum, { files: found }) => sum + found.length, 0);
    expect(imports).toBeGreaterThan(150);
    for (const name of ["protocol", "platform/ports", "platform", "storage", "agent/repository"]) {
      const layer = layers.find((candidate) => candidate.name === name);
      const count = files.filter((file) => layer?.holds.test(file) === true).length;
      expect(count, name).toBeGreaterThan(0);
    }
  });

  it("shows the same table in docs/architecture.md", () => {
    const advice = "run node_modules/.bin/node test/architecture/write-pages.ts";
    expect(readText("docs/architecture.md").includes(layerTable()), advice).toBe(true);
  });
});

describe("canaries", () => {
  const lower = { "storage/object-store.ts": "export const a = 1;" };
  const upper = { "agent/repository/blob.ts": "export type Blob = number;" };
  const bad = "storage/local/bad.ts";
  const message = `${bad}: storage (adapters) may not import agent/repository (agent/repository/blob.ts)`;

  it.each([
    ["a static import", 'import { a } from "../../agent/repository/blob.ts";'],
    ["a type import", 'import type { Blob } from "../../agent/repository/blob.ts";'],
    ["a bare import", 'import "../../agent/repository/blob.ts";'],
    ["a dynamic import", 'const a = await import("../../agent/repository/blob.ts");'],
    ["an import type", 'export type A = import("../../agent/repository/blob.ts").Blob;'],
    ["a re-export", 'export { a } from "../../agent/repository/blob.ts";'],
    ["a re-export of all", 'export * from "../../agent/repository/blob.ts";'],
    ["a worker", 'new Worker(new URL("../../agent/repository/blob.ts", import.meta.url));'],
  ])("%s that points up is found", (_kind, text) => {
    expect(layerViolations(factsOf({ ...lower, ...upper, [bad]: text }))).toEqual([message]);
  });

  it("an import that points down is not", () => {
    const text = 'import { a } from "../object-store.ts"; export { a };';
    expect(layerViolations(factsOf({ ...lower, "storage/local/good.ts": text }))).toEqual([]);
  });

  it("a dynamic import of a computed path is refused", () => {
    const read = (): SourceFacts => readFacts("agent/cli/x.ts", "const m = await import(name);");
    expect(read).toThrow("agent/cli/x.ts:1: import a literal path");
  });

  it("siblings, files in no layer, test files and missing files are found", () => {
    const facts = factsOf({
      "agent/backup/a.ts": 'import "../restore/b.ts"; import "../../platform/linux/c.ts";',
      "agent/restore/b.ts": 'import "./b.test.ts"; import "./gone.ts";',
      "agent/restore/b.test.ts": 'import "../../platform/linux/c.ts";',
      "platform/linux/c.ts": "",
      "agent/utils/d.ts": "",
    });
    expect(layerViolations(facts)).toEqual([
      "agent/backup/a.ts: agent/backup may not import agent/restore (agent/restore/b.ts)",
      "agent/backup/a.ts: agent/backup may not import platform/linux (platform/linux/c.ts)",
      "agent/restore/b.ts: what ships may not import a test file (agent/restore/b.test.ts)",
      "agent/restore/b.ts: imports agent/restore/gone.ts, which does not exist",
      "agent/utils/d.ts: in no layer; add its folder to the table in test/architecture",
    ]);
  });

  it("a cycle is found, also one of types", () => {
    const facts = factsOf({
      "protocol/a.ts": 'import type { B } from "./b.ts"; export type A = B;',
      "protocol/b.ts": 'import { c } from "./c.ts"; export type B = typeof c;',
      "protocol/c.ts": 'import type { A } from "./a.ts"; export const c: A = 1;',
      "protocol/d.ts": 'import { c } from "./c.ts"; export { c };',
    });
    expect(importCycles(facts)).toEqual([
      "cycle: protocol/a.ts -> protocol/b.ts -> protocol/c.ts -> protocol/a.ts",
    ]);
  });
});
