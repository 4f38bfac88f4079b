/** Removes what the target has and the snapshot has not. */
import { FileError } from "../../platform/ports/source-files.ts";
import type { TargetFiles, TargetHandle } from "../../platform/ports/target-files.ts";
import { type RestorePlan, rowFlag, rowKind, rowState } from "./plan/restore-plan.ts";
import { judge, type SelectionScope } from "./plan/selection.ts";
import { type IssueList, showPath } from "./restore-issues.ts";
import { removeTree } from "./write/remove-tree.ts";
import { TargetDirectories } from "./write/target-directories.ts";
import { explain } from "./write/work-issues.ts";

export interface RemovalRequest {
  readonly plan: RestorePlan;
  readonly files: TargetFiles;
  readonly root: TargetHandle;
  /** As the plan was made with: what it leaves out is not touched. */
  readonly selection: SelectionScope;
  readonly dryRun: boolean;
  readonly issues: IssueList;
  /** Told of each entry before it is removed. */
  readonly onRemoval: (path: Uint8Array) => void;
  readonly signal: AbortSignal;
}

/**
 * Removes from every folder that was there before this restore the entries that are not in the plan, and returns their
 * number. Folders whose list is not complete in the plan, and mounts, are left alone. Throws when aborted.
 */
export function removeExtras(request: RemovalRequest): number {
  const { plan, files, root, signal } = request;
  const directories = new TargetDirectories(files, plan, root);
  let removed = 0;
  try {
    for (let row = 0; row < plan.rows; row += 1) {
      signal.throwIfAborted();
      const isOld =
        plan.kindOf(row) === rowKind.directory && plan.stateOf(row) === rowState.existed;
      if (isOld && !plan.hasFlag(row, rowFlag.incomplete))
        removed += removeFrom(request, row, directories);
    }
  } finally {
    directories.close();
  }
  return removed;
}

function removeFrom(request: RemovalRequest, row: number, directories: TargetDirectories): number {
  const { plan, files, dryRun, signal } = request;
  const scope = scopeOf(request, row);
  const known = new Set<string>();
  for (let i = 0; i < plan.countOf(row); i += 1)
    known.add(keyOf(plan.nameOf(plan.firstOf(row) + i)));
  let removed = 0;
  try {
    const directory = directories.open(row);
    const { count, names, offsets } = files.list(directory);
    for (let i = 0; i < count; i += 1) {
      const name = names.slice(offsets[i], offsets[i + 1]);
      if (known.has(keyOf(name)) || !judge(scope, name, false).selected) continue;
      request.onRemoval(pathOf(plan, row, name));
      removed += 1;
      if (!dryRun && !removeOne(request, row, directory, name)) removed -= 1;
      signal.throwIfAborted();
    }
  } catch (error) {
    report(request, plan.pathOf(row), error);
  }
  return removed;
}

function removeOne(
  request: RemovalRequest,
  row: number,
  directory: TargetHandle,
  name: Uint8Array,
): boolean {
  try {
    removeTree(request.files, directory, name, () => request.signal.aborted);
    return true;
  } catch (error) {
    report(request, pathOf(request.plan, row, name), error);
    return false;
  }
}

function report({ issues }: RemovalRequest, path: Uint8Array, error: unknown): void {
  if (!(error instanceof FileError)) throw error;
  const text = `not removed: ${explain(error)}`;
  issues.add({ severity: "error", kind: "target", path: showPath(path), text });
}

function scopeOf({ plan, selection }: RemovalRequest, row: number): SelectionScope {
  if (selection === undefined) return undefined;
  const names: Uint8Array[] = [];
  for (let at = row; at !== 0; at = plan.parentOf(at)) names.push(plan.nameOf(at));
  let scope = selection;
  for (const name of names.reverse()) scope = scope.enter(name);
  return scope;
}

function pathOf(plan: RestorePlan, row: number, name: Uint8Array): Uint8Array {
  const parent = plan.pathOf(row);
  return parent.length === 0 ? name : Buffer.concat([parent, Buffer.from("/"), name]);
}

function keyOf(name: Uint8Array): string {
  return Buffer.from(name).toString("latin1");
}
