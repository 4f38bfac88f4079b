/** The counts that a test run leaves for its closing line, from a real run of the test runner. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

const root = path.resolve(import.meta.dirname, "..");
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-reporter-"));
  symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs vitest with our reporter on these files; gives the counts it left, what it printed and how it ended. */
function runFiles(files: Record<string, string>): {
  counts: unknown;
  output: string;
  exitCode: number | null;
} {
  const run = mkdtempSync(path.join(folder, "run-"));
  for (const [name, text] of Object.entries(files))
    writeFileSync(
      path.join(run, name),
      `import { describe, expect, it } from "vitest";\n${text}\n`,
    );
  const result = path.join(run, "result.json");
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      path.join(root, "node_modules/vitest/vitest.mjs"),
      ...["run", "--root", run, "--reporter", path.join(root, "test/run-reporter.ts")],
    ],
    { encoding: "utf8", env: { ...process.env, BACKSTAY_TEST_RESULT: result }, cwd: run },
  );
  const counts: unknown = JSON.parse(readFileSync(result, "utf8"));
  return { counts, output: stdout + stderr, exitCode: status };
}

it("counts passed and skipped tests, and prints each reason once", () => {
  const { counts, output, exitCode } = runFiles({
    "a.test.ts": `
      it("passes", () => expect(1).toBe(1));
      it("skips", (context) => context.skip("the moon is full"));
      describe("inner", () => { it("skips too", (context) => context.skip("the moon is full")); });
    `,
  });
  expect(counts).toEqual({ passed: 1, failed: 0, skipped: 2 });
  expect(output).toContain("SKIPPED 2 × the moon is full");
  expect(exitCode).toBe(0);
});

it("counts failed tests, files that cannot be loaded and errors outside tests as failed", () => {
  const { counts, exitCode } = runFiles({
    "a.test.ts": 'it("fails", () => expect(1).toBe(2));',
    "b.test.ts": 'throw new Error("at load");',
    "c.test.ts": 'it("leaks", () => { void Promise.reject(new Error("nobody waits")); });',
  });
  expect(counts).toEqual({ passed: 1, failed: 3, skipped: 0 });
  expect(exitCode).toBe(1);
});
