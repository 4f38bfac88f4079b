import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { agentRefusal } from "../../../protocol/control/agent-problem.ts";
import type { EntitlementDocument } from "../../../protocol/control/bundle.ts";
import { openMemoryState } from "../../../test/daemon/memory-state.ts";
import type { BundleInForce } from "../../control/bundle-in-force.ts";
import type { State } from "../../state/state.ts";
import { HealthBoard } from "../health/health-board.ts";
import {
  type BundleFacts,
  bundleConditions,
  clearServerConditions,
  contactConditions,
} from "./server-conditions.ts";

const dayMs = 86_400_000;
const startMs = Date.UTC(2026, 0, 1);
let state: State;
let board: HealthBoard;

beforeEach(() => {
  state = openMemoryState();
  board = new HealthBoard(
    state.conditions,
    () => startMs,
    () => undefined,
  );
});
afterEach(() => state.close());

const raised = (): string[] =>
  state.conditions
    .all()
    .map(({ code }) => code)
    .toSorted();

function contact(problem: unknown): void {
  const failures = problem === undefined ? 0 : 1;
  contactConditions(board, { lastGoodMs: undefined, failures, problem });
}

describe("contact with the server", () => {
  it.each([
    [new BackstayError("LINK_FAILED", { problem: "x" }), ["SERVER_LOST", "SERVER_UNREACHABLE"]],
    [new Error("a mistake"), ["SERVER_LOST", "SERVER_UNREACHABLE"]],
    [new BackstayError("LINK_UNTRUSTED", { problem: "x" }), ["SERVER_LOST", "SERVER_UNTRUSTED"]],
    [agentRefusal("agent-revoked"), ["SERVER_LOST", "SERVER_REFUSES"]],
    [agentRefusal("overloaded"), ["SERVER_LOST"]],
    [agentRefusal("identity-conflict"), ["SERVER_LOST"]],
  ])("that fails with %s is told as what it is, until it goes well", (problem, codes) => {
    contact(problem);
    expect(raised()).toEqual(codes);
    contact(undefined);
    expect(raised()).toEqual([]);
  });

  it("that fails otherwise than before is told as it is now", () => {
    contact(new BackstayError("LINK_UNTRUSTED", { problem: "x" }));
    contact(agentRefusal("agent-suspended"));
    expect(raised()).toEqual(["SERVER_LOST", "SERVER_REFUSES"]);
    clearServerConditions(board);
    expect(raised()).toEqual([]);
  });
});

describe("what the server wants", () => {
  const entitlement = (validUntilMs?: number): EntitlementDocument => ({
    type: "entitlement",
    tenantId: "t",
    agentId: "a",
    licenceId: "l",
    ...(validUntilMs !== undefined && { validUntilMs }),
    graceDays: 30,
    issuedMs: startMs,
  });
  function look(given: Partial<BundleInForce> | undefined, facts: Partial<BundleFacts> = {}): void {
    const refreshByMs = startMs + 30 * dayMs;
    const bundle = given && ({ issuedMs: startMs, refreshByMs, ...given } as BundleInForce);
    bundleConditions(board, {
      bundle,
      refusal: undefined,
      trustedMs: startMs,
      clockOffsetMs: 0,
      ...facts,
    });
  }

  it("is told if it was refused, or is old, and not once it is new", () => {
    look(undefined, { refusal: new BackstayError("BUNDLE_OLD", { serial: 1 }) });
    expect(raised()).toEqual(["BUNDLE_REFUSED"]);
    look({}, { trustedMs: startMs + 31 * dayMs });
    expect(raised()).toEqual(["BUNDLE_STALE"]);
    look({});
    expect(raised()).toEqual([]);
  });

  it.each([
    [-31, []],
    [-29, ["LICENCE_ENDING"]],
    [1, ["LICENCE_GRACE"]],
    [29, ["LICENCE_GRACE"]],
    [31, ["LICENCE_LAPSED"]],
  ])("%i days after the end of the licence: %j", (days, codes) => {
    const trustedMs = startMs + days * dayMs;
    const refreshByMs = startMs + 365 * dayMs;
    look({ entitlement: entitlement(startMs), refreshByMs }, { trustedMs });
    expect(raised()).toEqual(codes);
    look({ entitlement: entitlement(), refreshByMs }, { trustedMs });
    expect(raised()).toEqual([]);
  });

  it("says in which direction the clocks differ", () => {
    look({}, { clockOffsetMs: 10 * 60_000 });
    expect(state.conditions.all()[0]?.facts["problem"]).toBe(
      "this machine's is 10 minutes behind the server's",
    );
    look({}, { clockOffsetMs: -10 * 60_000 });
    expect(state.conditions.all()[0]?.facts["problem"]).toContain("ahead of");
    look({});
    expect(raised()).toEqual([]);
  });
});
