import { describe, expect, it } from "vitest";
import type { HealthCondition } from "../../../protocol/health-condition.ts";
import type { ConditionStore } from "../../state/state.ts";
import { HealthBoard } from "./health-board.ts";

class ConditionsInMemory implements ConditionStore {
  readonly #all = new Map<string, HealthCondition>();

  put(condition: HealthCondition): void {
    this.#all.set(`${condition.code} ${condition.subject}`, condition);
  }

  remove(code: string, subject: string): boolean {
    return this.#all.delete(`${code} ${subject}`);
  }

  all(): readonly HealthCondition[] {
    return [...this.#all.values()];
  }
}

describe("the board of conditions", () => {
  const store = (): ConditionsInMemory => new ConditionsInMemory();

  it("remembers over a restart since when something is so", () => {
    const kept = store();
    let nowMs = 1_000;
    const first = new HealthBoard(
      kept,
      () => nowMs,
      () => undefined,
    );
    first.set("STATE_FULL", "", { problem: "ENOSPC" });
    nowMs = 90_000;
    const second = new HealthBoard(
      kept,
      () => nowMs,
      () => undefined,
    );
    second.set("STATE_FULL", "", { problem: "still" });
    expect(second.reasons()).toMatchObject([{ code: "STATE_FULL", sinceMs: 1_000 }]);
    expect(second.reasons()[0]?.text).toMatch(
      /^The disk of the agent's database is full.*: still$/,
    );
  });

  it("shows what passes by itself only once it has lasted", () => {
    let nowMs = 0;
    const board = new HealthBoard(
      store(),
      () => nowMs,
      () => undefined,
    );
    board.set("TARGET_UNREACHABLE", "documents", { problem: "not mounted" });
    expect(board.reasons()).toEqual([]);
    nowMs = 600_000;
    expect(board.reasons()).toMatchObject([{ subject: "documents", severity: "warning" }]);
    board.set("TARGET_UNREACHABLE", "documents", undefined);
    expect(board.reasons()).toEqual([]);
  });

  it("settles a code to exactly the subjects that it is so of, and tells of changes only", () => {
    let changes = 0;
    const kept = store();
    const board = new HealthBoard(
      kept,
      () => 5,
      () => (changes += 1),
    );
    const findings = new Map([
      ["a.yaml", { problem: "line 1" }],
      ["b.yaml", { problem: "line 2" }],
    ]);
    board.settle("POLICY_INVALID", findings);
    board.settle("POLICY_INVALID", findings);
    expect(changes).toBe(2);
    board.settle("POLICY_INVALID", new Map([["b.yaml", { problem: "line 2" }]]));
    expect(board.reasons().map(({ subject }) => subject)).toEqual(["b.yaml"]);
    expect(changes).toBe(3);
    expect(kept.all()).toHaveLength(1);
  });

  it("forgets codes of other versions, and what is over by its age", () => {
    const kept = store();
    kept.put({ code: "GONE", subject: "", severity: "error", sinceMs: 0, facts: {} });
    let nowMs = 10;
    const board = new HealthBoard(
      kept,
      () => nowMs,
      () => undefined,
    );
    expect(kept.all()).toEqual([]);
    board.set("CLOCK_JUMPED", "", { problem: "by 2 h" });
    nowMs = 50;
    board.expire("CLOCK_JUMPED", 100);
    expect(board.reasons()).toHaveLength(1);
    nowMs = 200;
    board.expire("CLOCK_JUMPED", 100);
    expect(board.reasons()).toEqual([]);
  });
});
