/** A job runner with a state of its own, for tests; what it is made of can be replaced. */
import { rmSync } from "node:fs";
import path from "node:path";
import { JobRunner, type JobRunnerOptions } from "../../agent/jobs/job-runner.ts";
import type { PreparedRun, RunRequest } from "../../agent/jobs/jobs.ts";
import { openState } from "../../agent/state/open-state.ts";
import type { State } from "../../agent/state/state.ts";
import { openClock } from "../../platform/open-clock.ts";
import { openProcessLimits } from "../../platform/open-process-limits.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import { newMemoryFolder } from "../memory-folder.ts";
import { noTrouble } from "../state/state-samples.ts";
import { goodReport, sayReport, shellEngine } from "./shell-engine.ts";

const never = new AbortController().signal;

export class JobsScene {
  readonly folder: string = newMemoryFolder("jobs-");
  /** Each state that a session was seen in, as `policy:state`. */
  readonly seen: string[] = [];
  readonly failures: unknown[] = [];
  state: State;
  jobs: JobRunner;
  #options: Partial<JobRunnerOptions> = {};

  constructor(options: Partial<JobRunnerOptions> = {}) {
    this.state = this.#openState();
    this.jobs = this.#runner(options);
  }

  get stateFolder(): string {
    return path.join(this.folder, "state");
  }

  get reportFolder(): string {
    return path.join(this.folder, "reports");
  }

  at(name: string): string {
    return path.join(this.folder, name);
  }

  async remove(): Promise<void> {
    await this.jobs.stop(0);
    this.state.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A new runner on the same state, as a new daemon has it; the old one must have nothing left to do. */
  restart(options: Partial<JobRunnerOptions> = this.#options): void {
    this.state.close();
    this.state = this.#openState();
    this.jobs = this.#runner(options);
  }

  request(policy: string, given: Partial<RunRequest> = {}): SessionRecord {
    return this.jobs.request(this.requestOf(policy, given)).session;
  }

  requestOf(policy: string, given: Partial<RunRequest> = {}): RunRequest {
    return {
      policy,
      cause: { kind: "schedule", text: "daily" },
      priority: 0,
      repository: `/backup/${policy}`,
      ...given,
    };
  }

  /** Runs a policy to its end. */
  async run(policy: string, given: Partial<RunRequest> = {}): Promise<SessionRecord> {
    return await this.ended(this.request(policy, given));
  }

  async ended({ id }: { readonly id: string }): Promise<SessionRecord> {
    return await this.jobs.finished(id, never);
  }

  /** Resolves when a session is in a state, or has been there. */
  async reached(policy: string, state: string): Promise<void> {
    if (this.seen.includes(`${policy}:${state}`)) return;
    await new Promise<void>((resolve) => {
      const stop = this.jobs.subscribe({
        changed: (session) => {
          if (session.policy !== policy || session.state !== state) return;
          stop();
          resolve();
        },
      });
    });
  }

  #openState(): State {
    return openState({ folder: this.stateFolder, nowMs: () => Date.now(), onTrouble: noTrouble });
  }

  #runner(options: Partial<JobRunnerOptions>): JobRunner {
    this.#options = options;
    const jobs = new JobRunner({
      state: this.state,
      clock: openClock(),
      limits: openProcessLimits(),
      watch: { tickMs: 20, silenceMs: 20_000, stallMs: 20_000, graceMs: 5000 },
      spawnEngine: shellEngine(sayReport(goodReport)),
      environment: { PATH: process.env["PATH"] },
      reportFolder: this.reportFolder,
      prepare: async () => preparedRun(),
      scripts: () => ({}),
      hold: () => undefined,
      keys: () => undefined,
      account: async () => await Promise.reject(new Error("there is no server")),
      sessionsAtOnce: 2,
      onFailure: (error) => this.failures.push(error),
      ...options,
    });
    jobs.subscribe({ changed: ({ policy, state }) => this.seen.push(`${policy}:${state}`) });
    return jobs;
  }
}

export function preparedRun(given: Partial<PreparedRun> = {}): PreparedRun {
  return {
    order: {
      repository: {
        routes: [{ kind: "direct", url: "/nowhere" }],
        password: "the secret of the order",
        create: false,
      },
      limits: {},
      lockWaitMs: 0,
      work: {
        kind: "backup",
        hostName: "scene",
        paths: [],
        tags: [],
        exclude: [],
        excludeIgnoringCase: [],
        excludeCaches: false,
        excludeIfPresent: [],
        oneFileSystem: false,
        ownPlaces: [],
        compression: "auto",
      },
    },
    durationLimitMs: 60_000,
    ...given,
  };
}
