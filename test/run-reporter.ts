/**
 * Reporter of a test run: why tests were skipped, which were slow, and the counts for the closing line
 * that installers/checkout/run.mjs prints last of all (through the file that BACKSTAY_TEST_RESULT names).
 */
import { writeFileSync } from "node:fs";
import type { Reporter, TestCase, TestModule } from "vitest/node";

const slowMs = 5_000;
const slowestShown = 15;

/** Counts of a run. A file that could not be loaded and an error outside any test count as one failed test each. */
interface RunCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Sums up a finished run. vitest loads a reporter by path and takes its default export. */
export default class RunReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    printSkipped(tests);
    printSlow(tests);
    const resultFile = process.env["BACKSTAY_TEST_RESULT"];
    if (resultFile === undefined) return;
    const of = (state: string): number =>
      tests.filter((test) => test.result().state === state).length;
    const brokenSuites = modules.flatMap((module) => [
      ...(module.errors().length > 0 ? [module] : []),
      ...[...module.children.allSuites()].filter((suite) => suite.errors().length > 0),
    ]).length;
    const counts: RunCounts = {
      passed: of("passed"),
      failed: of("failed") + of("pending") + brokenSuites + unhandledErrors.length,
      skipped: of("skipped"),
    };
    writeFileSync(resultFile, JSON.stringify(counts));
  }
}

function printSkipped(tests: readonly TestCase[]): void {
  const countByReason = new Map<string, number>();
  for (const test of tests) {
    const result = test.result();
    if (result.state !== "skipped") continue;
    const reason = result.note ?? `no reason given: ${test.fullName}`;
    countByReason.set(reason, (countByReason.get(reason) ?? 0) + 1);
  }
  for (const [reason, count] of countByReason) console.log(` SKIPPED ${count} × ${reason}`);
}

function printSlow(tests: readonly TestCase[]): void {
  const durationMs = (test: TestCase): number => test.diagnostic()?.duration ?? 0;
  const slow = tests.filter((test) => durationMs(test) >= slowMs);
  slow.sort((left, right) => durationMs(right) - durationMs(left));
  for (const test of slow.slice(0, slowestShown)) {
    const seconds = (durationMs(test) / 1000).toFixed(1);
    console.log(` SLOW ${seconds} s ${test.module.relativeModuleId} > ${test.fullName}`);
  }
}
