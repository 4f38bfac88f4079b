/** The files of this checkout that the architecture tests look at. */
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** Absolute path of the checkout. */
export const checkoutRoot: string = path.resolve(
  path.dirname(fileURLToPath(import.meta.url)),
  "../..",
);

/** Folders that hold code. A new one is added here, to tsconfig.json, biome.json and run.mjs. */
export const codeRoots: readonly string[] = [
  "agent",
  "server",
  "platform",
  "storage",
  "protocol",
  "installers",
  "test",
];

/** Every TypeScript and JavaScript file below the code roots: paths with `/` from the root of the checkout, sorted. */
export function sourceFiles(): string[] {
  return matching(codeRoots.map((root) => `${root}/**/*.{ts,mjs}`));
}

/** Every text file that people write in this checkout: code, scripts, documents and settings. */
export function writtenFiles(): string[] {
  return matching([
    "*",
    ".ci/*",
    "docs/**/*.md",
    ...codeRoots.map((root) => `${root}/**/*.{ts,mjs,json,md,cmd,sh}`),
    "agent/bin/*",
  ]).filter((file) => file !== "package-lock.json");
}

/** The text of a file, given by its path from the root of the checkout. */
export function readText(file: string): string {
  return readFileSync(path.join(checkoutRoot, file), "utf8");
}

/** A file that never ships: a test, a contract suite, a fake, or anything under test/. */
export function isTestFile(file: string): boolean {
  return (
    file.startsWith("test/") ||
    file.startsWith("platform/fake/") ||
    /(?:\.test|-contract)\.ts$/.test(file)
  );
}

function matching(patterns: readonly string[]): string[] {
  const found = globSync([...patterns], {
    cwd: checkoutRoot,
    exclude: ["**/node_modules/**", ".git/**"],
    withFileTypes: true,
  });
  const files = found
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(checkoutRoot, path.join(entry.parentPath, entry.name)))
    .map((file) => file.split(path.sep).join("/"));
  return [...new Set(files)].toSorted();
}
