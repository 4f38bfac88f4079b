/**
 * Everything that can be wrong with an agent for a while, in one table: what it means, how bad it is, what to do, and
 * how long it may last before anybody is shown it. Codes are never renamed and never reused.
 */
import type { ConditionSeverity } from "./health-condition.ts";

export interface ConditionSpec {
  readonly severity: ConditionSeverity;
  /** One sentence. */
  readonly title: string;
  /** What to do now; whole sentences. */
  readonly remedy: string;
  /** What passes by itself within this time, ms, is not shown. */
  readonly visibleAfterMs: number;
  /** What makes it go away again, for the page of the catalogue. */
  readonly endsWhen: string;
}

const minuteMs = 60_000;

export const healthCatalog = {
  // Backups
  BACKUP_TOO_OLD: {
    severity: "error",
    title: "The last good backup of a policy is older than its objective allows, or there is none.",
    remedy:
      "See why its sessions failed or did not run (`backstay sessions`), then run it by hand.",
    visibleAfterMs: 0,
    endsWhen: "a backup of the policy ends well",
  },
  BACKUP_FAILED: {
    severity: "warning",
    title: "The last backup of a policy failed.",
    remedy: "See the session (`backstay session ID`); its failure names a remedy of its own.",
    visibleAfterMs: 0,
    endsWhen: "a backup of the policy ends well",
  },
  BACKUP_INCOMPLETE: {
    severity: "warning",
    title: "The last backup of a policy left something out.",
    remedy: "See what it was (`backstay session ID`), and make it readable or exclude it.",
    visibleAfterMs: 0,
    endsWhen: "a backup of the policy ends without a warning",
  },
  LOCKS_SHORT: {
    severity: "warning",
    title: "The last restore point of a policy is not locked for as long as it should be.",
    remedy:
      "Check that the storage keeps locks and that the account may set them (docs/immutability.md). The next backup tries again.",
    visibleAfterMs: 0,
    endsWhen: "a backup of the policy locks everything that its restore point needs",
  },
  TARGET_UNREACHABLE: {
    severity: "warning",
    title: "The place that a policy backs up to could not be reached.",
    remedy:
      "Check the connection, and that the disk or share is mounted. Runs are tried again by themselves.",
    visibleAfterMs: 10 * minuteMs,
    endsWhen: "a session of the policy reaches its repository",
  },
  REPOSITORY_DAMAGED: {
    severity: "error",
    title: "A check of a repository found damage.",
    remedy:
      "See what it hurts (`backstay sessions`, `backstay session ID`) and the health of the storage. Other restore points may be whole.",
    visibleAfterMs: 0,
    endsWhen: "a later check of it finds nothing",
  },
  SECRET_MISSING: {
    severity: "error",
    title: "A secret that a policy names is not there.",
    remedy: "Store it with `backstay secret set NAME`.",
    visibleAfterMs: 0,
    endsWhen: "the secret is stored",
  },
  SECRETS_NOT_BOUND: {
    severity: "info",
    title: "Secrets are in files that only the agent's user may read, not bound to this machine.",
    remedy:
      "Whoever copies the disk has them. Encrypt the disk, or run where the system can seal secrets (systemd 250 or newer, best with a TPM).",
    visibleAfterMs: 0,
    endsWhen: "the system keeps secrets sealed",
  },
  // Policies and configuration
  POLICY_INVALID: {
    severity: "error",
    title: "A policy file is not written as it should be; what it said last is still in force.",
    remedy: "Correct the named line and see `backstay policy validate FILE`.",
    visibleAfterMs: 0,
    endsWhen: "the file can be used, or is gone",
  },
  POLICY_NEWER: {
    severity: "error",
    title: "A policy file was written for a newer version; what it said last is still in force.",
    remedy: "Update this machine's Backstay, or write the policy without the named fields.",
    visibleAfterMs: 0,
    endsWhen: "the file can be used, or is gone",
  },
  POLICY_UNSUPPORTED: {
    severity: "error",
    title:
      "A policy file asks for something that is not possible yet; what it said last is still in force.",
    remedy: "Remove the named settings from the policy.",
    visibleAfterMs: 0,
    endsWhen: "the file can be used, or is gone",
  },
  POLICY_RESTRICTED: {
    severity: "error",
    title: "A policy asks for something that this machine's guard rails forbid.",
    remedy: "Change the policy, or the guard rails in the agent's configuration file.",
    visibleAfterMs: 0,
    endsWhen: "the policy keeps within the guard rails, or is gone",
  },
  POLICY_FOLDER: {
    severity: "error",
    title: "The folder of policies can't be used as it is; the policies are as they were last.",
    remedy: "Bring the folder and its files back, or end policies with `backstay policy remove`.",
    visibleAfterMs: 0,
    endsWhen: "the folder holds policies again",
  },
  POLICIES_UNWATCHED: {
    severity: "warning",
    title: "Changes of policy files are not noticed by themselves.",
    remedy: "Run `backstay policy apply`, or send the daemon SIGHUP, after a change.",
    visibleAfterMs: 0,
    endsWhen: "the folder can be watched",
  },
  NO_POLICIES: {
    severity: "warning",
    title: "There is no policy, so nothing is backed up.",
    remedy: "Write one and give it to `backstay policy apply FILE`; docs/policies.md shows how.",
    visibleAfterMs: minuteMs,
    endsWhen: "there is a policy",
  },
  CONFIGURATION_INVALID: {
    severity: "error",
    title:
      "The agent's configuration file can't be used; the settings are those that it held last.",
    remedy:
      "Correct the named line. Without any earlier settings no policy is in force, because guard rails might be missing.",
    visibleAfterMs: 0,
    endsWhen: "the file can be read",
  },
  // The management server's policies
  BUNDLE_REFUSED: {
    severity: "error",
    title: "What the server sent last can't be used; the policies before it stay in force.",
    remedy: "Follow the remedy of the named failure; docs/bundles.md tells what each means.",
    visibleAfterMs: 0,
    endsWhen: "a bundle of the server is accepted",
  },
  BUNDLE_STALE: {
    severity: "warning",
    title: "The server's policies have not been confirmed for weeks; they go on all the same.",
    remedy: "Bring this machine where it reaches its server: `backstay sync` tells what is wrong.",
    visibleAfterMs: 0,
    endsWhen: "a bundle of the server is accepted",
  },
  SERVER_UNREACHABLE: {
    severity: "warning",
    title: "The management server can't be reached; everything goes on without it.",
    remedy:
      "Check the network and the server; `backstay sync` tells what is wrong. Reports wait here and are sent later.",
    visibleAfterMs: 60 * minuteMs,
    endsWhen: "the server answers",
  },
  SERVER_LOST: {
    severity: "error",
    title: "The management server was not heard of for 45 days; everything goes on without it.",
    remedy:
      "Bring this machine where it reaches its server, or let it leave the fleet with `backstay leave`.",
    visibleAfterMs: 45 * 24 * 60 * minuteMs,
    endsWhen: "the server answers",
  },
  SERVER_UNTRUSTED: {
    severity: "error",
    title: "What answers for the management server is not trusted; nothing was told to it.",
    remedy:
      "If the server's certificate was changed, enrol again with a new token, which carries its pin. If not, somebody may be in between.",
    visibleAfterMs: 10 * minuteMs,
    endsWhen: "the server itself answers",
  },
  SERVER_REFUSES: {
    severity: "error",
    title: "The management server refuses this machine; what is in force here goes on.",
    remedy: "Look the machine up on the server: it may be suspended, revoked or removed there.",
    visibleAfterMs: 10 * minuteMs,
    endsWhen: "the server takes its requests",
  },
  ENROLMENT_WAITS: {
    severity: "warning",
    title: "The enrolment of this machine is not done yet; it is tried again by itself.",
    remedy: "Approve it on the server, or see what the problem is with `backstay enroll`.",
    visibleAfterMs: 0,
    endsWhen: "the server has admitted the machine, or refuses it",
  },
  ENROLMENT_REFUSED: {
    severity: "error",
    title: "The management server does not admit this machine.",
    remedy: "Have a token made on the server, and enrol with it: `backstay enroll`.",
    visibleAfterMs: 0,
    endsWhen: "the machine is enrolled, or started without a token",
  },
  IDENTITY_CONFLICT: {
    severity: "error",
    title: "Another machine seems to use the same identity; the server is asked which is which.",
    remedy:
      "Nothing needs doing if one of them is a copy: it gets an identity of its own. An administrator may have to approve that on the server.",
    visibleAfterMs: 0,
    endsWhen: "the server has settled it",
  },
  IDENTITY_DAMAGED: {
    severity: "error",
    title: "The identity of this machine can't be read, so no policy of its server is in force.",
    remedy: "Enrol the machine again (`backstay enroll`): it keeps its repository and history.",
    visibleAfterMs: 0,
    endsWhen: "the machine is enrolled again",
  },
  CLOCK_SKEWED: {
    severity: "warning",
    title: "The clocks of this machine and of its server differ; the agent reckons with it.",
    remedy: "Let the system keep its clock (`timedatectl set-ntp true`).",
    visibleAfterMs: 10 * minuteMs,
    endsWhen: "the clocks agree within a minute",
  },
  POLICY_HIDDEN: {
    severity: "warning",
    title: "A policy of this machine is not in force: the server has one of the same name.",
    remedy: "Give the machine's own policy another name, or remove it.",
    visibleAfterMs: 0,
    endsWhen: "the names differ, or one of them is gone",
  },
  REPOSITORY_MAINTENANCE: {
    severity: "info",
    title: "The repository of a policy is in maintenance: no backups are made meanwhile.",
    remedy:
      "Nothing is wrong with this machine. Its server's administrator has decided so, and ends it.",
    visibleAfterMs: 0,
    endsWhen: "a session finds it active",
  },
  REPOSITORY_SEALED: {
    severity: "warning",
    title: "The repository of a policy is sealed, and there is no other one for new backups.",
    remedy: "Ask the server's administrator for another active member of the pool.",
    visibleAfterMs: 0,
    endsWhen: "a backup finds a repository that takes it",
  },
  ROUTE_CHANGED: {
    severity: "warning",
    title: "The last session went to its repository by another route than the first one.",
    remedy: "See why the first route was out of reach. It is tried first again at each run.",
    visibleAfterMs: 0,
    endsWhen: "a session goes by the first route",
  },
  LICENCE_ENDING: {
    severity: "info",
    title: "The licence of the server ends within 30 days.",
    remedy: "Tell the server's administrator to install the next one.",
    visibleAfterMs: 0,
    endsWhen: "a new licence reaches this machine",
  },
  LICENCE_GRACE: {
    severity: "warning",
    title: "The licence of the server has ended; everything goes on for the days of grace.",
    remedy: "Tell the server's administrator to install a new one.",
    visibleAfterMs: 0,
    endsWhen: "a new licence reaches this machine",
  },
  LICENCE_LAPSED: {
    severity: "error",
    title: "The licence of the server has lapsed. Backups and restores of this machine go on.",
    remedy:
      "Tell the server's administrator to install a new one: until then no new machines are admitted.",
    visibleAfterMs: 0,
    endsWhen: "a new licence reaches this machine",
  },
  // The agent itself
  STATE_DAMAGED: {
    severity: "warning",
    title: "The agent's database was damaged, has been set aside and made anew; backups go on.",
    remedy: "The history of sessions begins again. Check the health of the disk.",
    visibleAfterMs: 0,
    endsWhen: "a week has passed",
  },
  STATE_NEWER: {
    severity: "warning",
    title: "The agent's database was made by a newer version, and has been set aside.",
    remedy: "Install the newer version again to see the earlier sessions.",
    visibleAfterMs: 0,
    endsWhen: "a week has passed",
  },
  STATE_FULL: {
    severity: "error",
    title: "The disk of the agent's database is full; the agent works from memory.",
    remedy: "Free space there. What happens until then is forgotten if the agent ends.",
    visibleAfterMs: 0,
    endsWhen: "the database is on its disk again",
  },
  STATE_READ_ONLY: {
    severity: "error",
    title: "The agent's database can't be written; the agent works from memory.",
    remedy:
      "Check that its folder belongs to the agent's user and is not mounted read-only. What happens until then is forgotten if the agent ends.",
    visibleAfterMs: 0,
    endsWhen: "the database is on its disk again",
  },
  STATE_BROKEN: {
    severity: "error",
    title: "The disk of the agent's database reported an error; the agent works from memory.",
    remedy: "Check the health of the disk and the system's log.",
    visibleAfterMs: 0,
    endsWhen: "the database is on its disk again",
  },
  STATE_BUSY: {
    severity: "warning",
    title: "Another program keeps the agent's database locked; the agent works from memory.",
    remedy: "End the program that has it open.",
    visibleAfterMs: minuteMs,
    endsWhen: "the database is on its disk again",
  },
  SPACE_LOW: {
    severity: "warning",
    title: "The disk of the agent's state has hardly any room left.",
    remedy: "Free space there, at least 100 MiB.",
    visibleAfterMs: 5 * minuteMs,
    endsWhen: "there is room again",
  },
  CLOCK_JUMPED: {
    severity: "info",
    title: "The clock of this machine was set by more than a minute.",
    remedy: "Nothing needs doing if it is right now: no run is lost or done twice by that.",
    visibleAfterMs: 0,
    endsWhen: "a day has passed",
  },
  CLOCK_UNSET: {
    severity: "error",
    title: "The clock of this machine shows a time that can't be, so no schedule runs.",
    remedy: "Set the clock, and let the system keep it (`timedatectl set-ntp true`).",
    visibleAfterMs: minuteMs,
    endsWhen: "the clock shows a possible time",
  },
  EVENTS_UNAVAILABLE: {
    severity: "warning",
    title: "Events that a policy waits for are not told by this system.",
    remedy: "Give the policy a timer too, or install what `backstay doctor` names.",
    visibleAfterMs: minuteMs,
    endsWhen: "the system tells them, or no policy asks for them",
  },
  LOG_UNWRITABLE: {
    severity: "warning",
    title: "The log can't be written.",
    remedy: "Check that its folder is writable and its disk not full.",
    visibleAfterMs: 0,
    endsWhen: "a line can be written again",
  },
  METRICS_ADDRESS: {
    severity: "warning",
    title: "The address for metrics can't be listened on.",
    remedy: "Choose another `metrics.address` in the configuration file, and reload.",
    visibleAfterMs: 0,
    endsWhen: "it can be, or metrics are switched off",
  },
  NOTIFICATION_FAILED: {
    severity: "warning",
    title: "Messages about backups do not arrive.",
    remedy: "Check the named address and account. Messages wait and are tried again for 30 days.",
    visibleAfterMs: 0,
    endsWhen: "a message arrives, or none waits",
  },
} as const satisfies Record<string, ConditionSpec>;

export type ConditionCode = keyof typeof healthCatalog;

/** True for a code of this catalogue. */
export function isConditionCode(code: string): code is ConditionCode {
  return Object.hasOwn(healthCatalog, code);
}
