/** Conditions that come from what sessions have left. */
import { expect, it } from "vitest";
import type { BackupFigures } from "../../../protocol/run-order.ts";
import type { SessionRecord } from "../../../protocol/session-record.ts";
import { HealthBoard } from "./health-board.ts";
import { checkPast } from "./health-checks.ts";

it("tells of policies whose last restore point is not locked as it should be, until one is", () => {
  const board = new HealthBoard(
    { put: () => undefined, remove: () => true, all: () => [] },
    () => 0,
    () => undefined,
  );
  const look = (figures: Partial<BackupFigures>): string[] => {
    const lastGood = { figures } as SessionRecord;
    checkPast(board, ["web"], () => ({ lastGood, failuresSinceGood: 0 }));
    return board.reasons().map(({ code, subject, text }) => `${code} ${subject}: ${text}`);
  };
  expect(look({ lockProblem: "no right to" })).toEqual([
    expect.stringMatching(/^LOCKS_SHORT web: .*no right to$/),
  ]);
  expect(look({ lockedUntilMs: 1 })).toEqual([]);
});
