/** Canaries of the linters: each finds the fault that is seeded for it, under this checkout's own settings. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { checkoutRoot } from "./checkout.ts";

let folder = "";

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-gates-"));
  for (const file of ["biome.json", ".oxlintrc.json", "tsconfig.json", "package.json"])
    copyFileSync(path.join(checkoutRoot, file), path.join(folder, file));
  symlinkSync(path.join(checkoutRoot, "node_modules"), path.join(folder, "node_modules"));
  mkdirSync(path.join(folder, "agent"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a tool on a folder that holds just `agent/seeded.ts`; resolves with all that it printed. */
function runGate(text: string, program: string, args: readonly string[], name = "seeded"): string {
  const file = path.join(folder, "agent", `${name}.ts`);
  writeFileSync(file, `/** Seeded. */\n${text}\n`);
  try {
    const tool = path.join(checkoutRoot, "node_modules", program);
    const { status, stdout, stderr } = spawnSync(process.execPath, [tool, ...args], {
      cwd: folder,
      encoding: "utf8",
    });
    return `exit ${status}\n${stdout}${stderr}`;
  } finally {
    rmSync(file);
  }
}

const oxlint = (text: string): string =>
  runGate(text, "oxlint/bin/oxlint", ["--type-aware", "agent"]);
const biome = (text: string, name?: string): string =>
  runGate(text, "@biomejs/biome/bin/biome", ["lint", "--vcs-enabled=false", "agent"], name);
const types = (text: string): string => runGate(text, "typescript/bin/tsc", ["-p", "."]);

it("nothing is found where nothing is wrong", () => {
  const clean = "export const answer: number = 42;";
  expect(oxlint(clean)).toMatch(/^exit 0\n/);
  expect(biome(clean)).toMatch(/^exit 0\n/);
  expect(types(clean)).toMatch(/^exit 0\n/);
});

it("a promise that nobody waits for is found", () => {
  const seen = oxlint(
    "export async function f(): Promise<void> {}\nexport const g = (): void => { f(); };",
  );
  expect(seen).toContain("no-floating-promises");
  expect(seen).toMatch(/^exit 1\n/);
});

it("a value of no known type and a missing case are found", () => {
  expect(oxlint('export const a: { b: number } = JSON.parse("1");')).toContain(
    "no-unsafe-assignment",
  );
  const missingCase = `export function f(kind: "a" | "b"): number {
    switch (kind) { case "a": return 1; }
    return 2;
  }`;
  expect(oxlint(missingCase)).toContain("switch-exhaustiveness-check");
});

it.each([
  ["noDefaultExport", "export default 1;"],
  ["noNonNullAssertion", "export const f = (a?: string): string => a!;"],
  ["noExplicitAny", "export const a: any = 1;"],
  ["noProcessEnv", "export const a = process.env;"],
  ["noConsole", 'console.log("a");'],
  ["noReExportAll", 'export * from "node:fs";'],
  [
    "noExcessiveLinesPerFunction",
    `export function f(a: number): number {\n${"a += 1;\n".repeat(81)}return a;\n}`,
  ],
])("%s is found", (rule, text) => {
  const seen = biome(text);
  expect(seen).toContain(rule);
  expect(seen).toMatch(/^exit 1\n/);
});

it("a file that is not named in kebab-case is found", () => {
  expect(biome("export const a = 1;", "packWriter")).toContain("useFilenamingConvention");
});

it("syntax that Node cannot strip is found", () => {
  expect(types("export enum Kind { a }")).toContain("TS1294");
});
