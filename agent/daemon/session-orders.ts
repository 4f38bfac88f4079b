/** Asks the jobs for sessions on behalf of somebody: a user of this machine, or its server. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { repositoryScheme } from "../../protocol/control/bundle.ts";
import type { GuardRails } from "../../protocol/policy/guard-rails.ts";
import type { RunCause, SessionRecord, SessionTask } from "../../protocol/session-record.ts";
import type { Jobs, RunTicket } from "../jobs/jobs.ts";
import type { PolicyInForce } from "./policy-book.ts";
import { heldAt } from "./repository-places.ts";
import { allowedTarget } from "./restore-rails.ts";
import { sessionsOf } from "./run-scheduler.ts";

export interface SessionOrdersParts {
  readonly jobs: Jobs;
  readonly inForce: () => ReadonlyMap<string, PolicyInForce>;
  readonly guardRails: () => GuardRails;
  /** Folders that nothing is restored into; absolute. */
  readonly guardedFolders: readonly string[];
}

export class SessionOrders {
  readonly #parts: SessionOrdersParts;

  constructor(parts: SessionOrdersParts) {
    this.#parts = parts;
  }

  /** A backup, or what the task says. POLICY_UNKNOWN, POLICY_SCOPE, RESTORE_RESTRICTED, QUEUE_FULL, SHUTTING_DOWN. */
  request(policyName: string, cause: RunCause, task?: SessionTask): RunTicket {
    const { jobs, guardRails, guardedFolders } = this.#parts;
    const found = this.known(policyName);
    const { policy } = found;
    const held = heldAt(found, task?.from);
    // Looked at again when its turn has come.
    if (task?.kind === "restore") allowedTarget(task, guardRails(), guardedFolders);
    return jobs.request({
      policy: policyName,
      cause,
      priority: policy.priority,
      repository:
        held === undefined
          ? policy.destination.repository
          : `${repositoryScheme}${held.repositoryId}`,
      ...(task !== undefined && { task }),
    });
  }

  /** Ends what runs and waits of a policy, or of all. POLICY_UNKNOWN if there is neither. */
  stop(policyName: string | undefined, text: string): readonly SessionRecord[] {
    const { jobs } = this.#parts;
    const sessions = sessionsOf(jobs, policyName);
    if (sessions.length === 0 && policyName !== undefined) this.known(policyName);
    for (const { id } of sessions) jobs.cancel(id, { by: "user", text });
    return sessions;
  }

  /** POLICY_UNKNOWN. */
  known(policyName: string): PolicyInForce {
    const found = this.#parts.inForce().get(policyName);
    if (found === undefined) throw new BackstayError("POLICY_UNKNOWN", { policy: policyName });
    return found;
  }
}
