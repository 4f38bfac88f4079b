/** The test runner: quick tests beside the code first, then the long kinds under test/. */
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** Kinds of tests under test/ that start processes or do much work; each is a folder and a project. */
const longKinds = ["interop", "e2e", "faults"];

const maxWorkers = Math.max(2, Math.floor(availableParallelism() / 2));

export default defineConfig({
  test: {
    pool: "forks",
    reporters: ["default", "./test/run-reporter.ts"],
    slowTestThreshold: 2_000,
    setupFiles: ["./test/property-seed.ts"],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: [
            "{agent,server,platform,storage,protocol,installers,test}/**/*.test.ts",
            "*.test.ts",
          ],
          exclude: ["**/node_modules/**", ...longKinds.map((kind) => `test/${kind}/**`)],
          testTimeout: 60_000,
          hookTimeout: 180_000,
          maxWorkers,
          sequence: { groupOrder: 0 },
        },
      },
      ...longKinds.map((kind) => ({
        extends: true as const,
        test: {
          name: kind,
          include: [`test/${kind}/**/*.test.ts`],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers,
          sequence: { groupOrder: 1 },
        },
      })),
    ],
  },
});
