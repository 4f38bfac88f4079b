/** The catalogue of health conditions, its page and the code agree, in every direction. */
import { expect, it } from "vitest";
import { type ConditionSpec, healthCatalog } from "../../protocol/health-catalog.ts";
import { isTestFile, readText, sourceFiles } from "./checkout.ts";
import { healthPage } from "./health-page.ts";
import { readFacts } from "./source-facts.ts";

const entries = Object.entries<ConditionSpec>(healthCatalog);

it("docs/health.md is the page of the catalogue", () => {
  const advice = "run node_modules/.bin/node test/architecture/write-pages.ts";
  expect(readText("docs/health.md") === healthPage(), advice).toBe(true);
});

it("every condition is raised somewhere in what ships", () => {
  const shipped = sourceFiles().filter(
    (file) => !isTestFile(file) && file !== "protocol/health-catalog.ts",
  );
  const used = new Set(shipped.flatMap((file) => [...readFacts(file, readText(file)).values]));
  expect(entries.map(([code]) => code).filter((code) => !used.has(code))).toEqual([]);
});

it("every condition says in whole sentences what is so and what to do", () => {
  for (const [code, spec] of entries) {
    expect(code).toMatch(/^[A-Z]+(?:_[A-Z]+)*$/);
    expect(spec.title, code).toMatch(/^[A-Z].*\.$/);
    expect(spec.remedy, code).toMatch(/^[A-Z].*\.$/);
    expect(spec.visibleAfterMs, code).toBeGreaterThanOrEqual(0);
  }
});
