import { expect, it } from "vitest";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { openJsonLog } from "./json-log.ts";

function logTo(lines: string[]) {
  return openJsonLog({ now: () => 5, level: "info", write: (line) => lines.push(line) });
}

it("writes one line of JSON for each thing that happened, with fields of the list only", () => {
  const lines: string[] = [];
  const log = logTo(lines);
  log.debug("not asked for");
  log.warning("slow", { task: "overdue", durationMs: 12, password: "hunter2", count: "12" });
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { level: "warning", time: 5, task: "overdue", durationMs: 12, text: "slow" },
  ]);
});

it("has nothing that looks like a secret, in no text, field or error", () => {
  const lines: string[] = [];
  const log = logTo(lines);
  const secrets = [
    "postgres://u:hunter2-x@db/x",
    "bks_01h_hunter2-x",
    "bk1_hunter2-x",
    "Bearer hunter2-x",
    "eyJhbGciOi.hunter2-x.c2ln",
  ];
  for (const secret of secrets) {
    log.info(`got ${secret}`, { problem: secret });
    log.failure("failed", new Error(secret), { url: secret });
    log.failure("failed", new BackstayError("DATABASE_UNREACHABLE", {}, new Error(secret)));
  }
  let parsing: unknown;
  try {
    JSON.parse('hunter2-x {"');
  } catch (error) {
    parsing = error;
  }
  log.failure("failed", parsing);
  expect(lines).toHaveLength(secrets.length * 3 + 1);
  expect(lines.join("")).not.toContain("hunter2-x");
  expect(lines.at(-1)).toMatch(/json-log\.test/);
});
