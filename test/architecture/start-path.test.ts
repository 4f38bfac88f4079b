/** Commands that must start quickly load no package that only policies need. */
import path from "node:path";
import { parseSync, Visitor } from "oxc-parser";
import { expect, it } from "vitest";
import { readText } from "./checkout.ts";

/** What a file loads before it runs: imports of types and `import("…")` are none. */
function loadedBy(file: string): string[] {
  const found: string[] = [];
  new Visitor({
    ImportDeclaration: (node) => {
      if (node.importKind !== "type") found.push(node.source.value);
    },
    ExportNamedDeclaration: (node) => {
      if (node.source !== null && node.exportKind !== "type") found.push(node.source.value);
    },
  }).visit(parseSync(file, readText(file)).program);
  return found;
}

/** Every package that is loaded with these files, and the file that asks for it. */
function packagesOf(entries: readonly string[]): Map<string, string> {
  const packages = new Map<string, string>();
  const files = new Set(entries);
  for (const file of files)
    for (const target of loadedBy(file)) {
      if (target.startsWith(".")) files.add(path.posix.join(path.posix.dirname(file), target));
      else if (!packages.has(target)) packages.set(target, file);
    }
  return packages;
}

const quick = [
  "agent/bin/backstay.ts",
  "agent/cli/main.ts",
  "agent/cli/command-backup.ts",
  "agent/cli/command-status.ts",
];

it("the program, its status and its backup load neither zod nor yaml", () => {
  const packages = packagesOf(quick);
  expect(packages.has("commander")).toBe(true);
  expect([packages.get("zod"), packages.get("yaml")]).toEqual([undefined, undefined]);
});

it("commands for policies do", () => {
  const packages = packagesOf(["agent/cli/command-policy-apply.ts"]);
  expect([packages.has("zod"), packages.has("yaml")]).toEqual([true, true]);
});
