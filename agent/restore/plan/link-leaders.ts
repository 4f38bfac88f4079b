/** Decides which name of a file gets its data, once it is known what is in the target already. */
import { type RestorePlan, rowKind, rowState } from "./restore-plan.ts";

/**
 * The first name of a file is the one that others become links to. If it is left as it was, or failed, the next
 * one that is to be made takes its place.
 */
export function settleLeaders(plan: RestorePlan): void {
  const successors = new Map<number, number>();
  for (let row = 1; row < plan.rows; row += 1) {
    const leader = plan.linkOf(row);
    if (leader < 0) continue;
    const state = plan.stateOf(row);
    if (state !== rowState.pending && state !== rowState.replace) continue;
    if (canLead(plan.stateOf(leader))) continue;
    const successor = successors.get(leader);
    if (successor !== undefined) {
      plan.setLink(row, successor);
      continue;
    }
    successors.set(leader, row);
    plan.setLink(row, -1);
    if (plan.kindOf(row) !== rowKind.file) continue;
    const first = plan.firstOf(row);
    for (let i = 0; i < plan.countOf(row); i += 1) plan.setRowOf(first + i, row);
  }
}

/** False for a name that keeps other content than the snapshot's, or none. */
function canLead(state: number): boolean {
  return (
    state === rowState.pending ||
    state === rowState.update ||
    state === rowState.replace ||
    state === rowState.unchanged
  );
}
