/** The error catalogue, its page and the code agree, in every direction. */
import { expect, it } from "vitest";
import { errorCatalog } from "../../protocol/error-catalog.ts";
import type { ErrorSpec } from "../../protocol/errors/error-spec.ts";
import { isTestFile, readText, sourceFiles } from "./checkout.ts";
import { errorPage } from "./error-page.ts";
import { readFacts } from "./source-facts.ts";

const codes = Object.keys(errorCatalog);
const entries = Object.entries<ErrorSpec>(errorCatalog);

it("docs/errors.md describes exactly the codes of the catalogue", () => {
  const page = readText("docs/errors.md");
  const described = [...page.matchAll(/^## (.*)$/gm)].map((match) => match[1]);
  const advice = "run node_modules/.bin/node test/architecture/write-pages.ts";
  expect(described, advice).toEqual(codes);
  expect(page === errorPage(), advice).toBe(true);
});

it("every code is given to an error somewhere in what ships", () => {
  const shipped = sourceFiles().filter(
    (file) => !isTestFile(file) && !file.startsWith("protocol/errors/"),
  );
  expect(shipped.length).toBeGreaterThan(30);
  const used = new Set(shipped.flatMap((file) => [...readFacts(file, readText(file)).values]));
  expect(codes.filter((code) => !used.has(code))).toEqual([]);
});

it("every code says in whole sentences what happened and what to do", () => {
  for (const [code, spec] of entries) {
    expect(code).toMatch(/^[A-Z]+(?:_[A-Z]+)*$/);
    expect(spec.title, code).toMatch(/^[A-Z].*\.$/);
    expect(spec.remedy, code).toMatch(/^[A-Z].*\.$/);
    expect([1, 3, 10, 11, 12, 130], code).toContain(spec.exitCode);
  }
});

it("comparing with a code does not count as giving it", () => {
  const text = `
    if (error.code === "A" || isBackstayError(error, "B")) retry();
    switch (code) { case "C": break; }
    type Code = "D";
    throw new BackstayError(full ? "E" : "F", {});
  `;
  expect([...readFacts("agent/x.ts", text).values]).toEqual(["E", "F"]);
});
