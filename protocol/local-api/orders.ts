/** What the daemon can be asked to do, and what it answers. */
import type { OverwriteRule } from "../run-order.ts";
import type { PolicyProblem } from "./policy-list.ts";

/** Body of `POST …/run`. */
export interface RunRequest {
  readonly policy: string;
}

export interface RunAnswer {
  /** Can be followed at once. */
  readonly sessionId: string;
  /** True if the policy was running or waiting already, and this is that session. */
  readonly joined: boolean;
}

/** Body of `POST …/restore`; the answer is a RunAnswer. */
export interface RestoreRequest {
  readonly policy: string;
  /** Id of a snapshot, the first digits of one, or `latest`. */
  readonly snapshot: string;
  /** Absolute paths in the snapshot; empty: all. */
  readonly paths: readonly string[];
  /** Absolute. */
  readonly target: string;
  readonly overwrite: OverwriteRule;
  readonly verify: boolean;
  /** Name of a repository of the policy's pool that holds older backups; absent: that of now. */
  readonly from?: string;
}

/** Body of `POST …/check`; the answer is a RunAnswer. */
export interface CheckRequest {
  readonly policy: string;
  /** `structure`, `all`, or a part of the data as --read-data-subset takes it. */
  readonly data: string;
  /** As in a restore. */
  readonly from?: string;
}

/** Body of `POST …/stop`. */
export interface StopRequest {
  readonly policy: string;
}

export interface StopAnswer {
  /** Sessions that were asked to end, or taken out of the queue; empty if there were none. */
  readonly sessionIds: readonly string[];
}

/** Body of `POST …/pause`. */
export interface PauseRequest {
  /** Absent: all. */
  readonly policy?: string;
  /** Ms since 1970; absent: until somebody resumes. */
  readonly untilMs?: number;
}

/** Body of `POST …/resume`. */
export interface ResumeRequest {
  /** Absent: everything that is paused. */
  readonly policy?: string;
}

export interface ResumeAnswer {
  /** How many pauses were ended. */
  readonly ended: number;
}

/** Body of `POST …/enroll`. */
export interface EnrolRequest {
  /** As it was pasted. A secret. */
  readonly token: string;
}

export interface EnrolAnswer {
  /** `waiting`: an administrator must approve it on the server; the daemon goes on asking. */
  readonly state: "enrolled" | "waiting";
  readonly agentId?: string;
  readonly tenant?: string;
  /** For people, why it waits; empty otherwise. */
  readonly text: string;
}

/** What `POST …/reload` answers: the policies in force after reading them all again. */
export interface ReloadAnswer {
  readonly policies: readonly string[];
  readonly problems: readonly PolicyProblem[];
}
