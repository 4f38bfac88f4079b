/**
 * The daemon: puts its parts together, starts them in the order in which they need each other, and ends them in the
 * opposite one.
 */
import { openDurableFiles } from "../../platform/open-durable-files.ts";
import { openPeerIdentity } from "../../platform/open-peer-identity.ts";
import { overallHealth } from "../../protocol/local-api/overall-health.ts";
import type { StatusFacts } from "../../protocol/local-api/status.ts";
import type { Notifications } from "../../protocol/policy/policy.ts";
import { programVersion } from "../../protocol/program-version.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import type { JobRunner } from "../jobs/job-runner.ts";
import { LocalApiServer } from "../local-api/local-api-server.ts";
import { PolicyFolder } from "../policy-files/policy-folder.ts";
import { SleepLocks } from "../triggers/sleep-locks.ts";
import { ConfigurationKeeper } from "./configuration-keeper.ts";
import { ServerSide } from "./control/server-side.ts";
import { type DaemonCore, openCore } from "./daemon-core.ts";
import { daemonDoctor } from "./daemon-doctor.ts";
import { daemonJobs } from "./daemon-jobs.ts";
import type { DaemonOptions } from "./daemon-options.ts";
import { guardedFolders } from "./daemon-places.ts";
import { secretsNeeded } from "./health/health-checks.ts";
import { HealthWatch } from "./health/health-watch.ts";
import { LocalView } from "./local-view.ts";
import { MachineAfterRuns } from "./machine-after-runs.ts";
import { MachineEvents } from "./machine-events.ts";
import { machineMoment } from "./machine-moment.ts";
import { MachineRules } from "./machine-rules.ts";
import { MachineWake } from "./machine-wake.ts";
import { daemonMetrics, SessionCounters } from "./metrics/daemon-metrics.ts";
import { MetricsService } from "./metrics/metrics-service.ts";
import { MessageService } from "./notifications/message-service.ts";
import { mergedWays } from "./notifications/notifier.ts";
import { PolicyBook, type PolicyInForce, serverSecret } from "./policy-book.ts";
import { PolicyReloads } from "./policy-reloads.ts";
import type { RepositoryPlaces } from "./repository-places.ts";
import { RunHolds } from "./run-holds.ts";
import { RunScheduler, sessionsOf } from "./run-scheduler.ts";
import { ServiceStatus } from "./service-status.ts";
import { SessionHistory } from "./session-history.ts";
import { logSession } from "./session-log.ts";
import { SessionOrders } from "./session-orders.ts";
import { statusFacts } from "./status-facts.ts";

/** Within that a run stores what it has at the end of the daemon; after that it is killed. */
const drainMs = 60_000;
const bootFact = "boot";

export class Daemon {
  readonly #core: DaemonCore;
  readonly #configuration: ConfigurationKeeper;
  readonly #policies: PolicyBook;
  readonly #rules: MachineRules;
  readonly #holds: RunHolds;
  readonly #jobs: JobRunner;
  readonly #orders: SessionOrders;
  readonly #server: ServerSide;
  readonly #repositories: RepositoryPlaces;
  readonly #history: SessionHistory;
  readonly #scheduler: RunScheduler;
  readonly #events: MachineEvents;
  readonly #messages: MessageService;
  readonly #metrics: MetricsService;
  readonly #counters = new SessionCounters();
  readonly #health: HealthWatch;
  readonly #reloads: PolicyReloads;
  readonly #serviceStatus: ServiceStatus;
  readonly #machine: MachineAfterRuns;
  readonly #wake: MachineWake;
  readonly #startMs: number;
  #api: LocalApiServer | undefined;
  #stopping: Promise<void> | undefined;

  private constructor(core: DaemonCore) {
    this.#core = core;
    const { options, places, state, board, log } = core;
    const { clock, secrets } = options;
    const nowMs = (): number => clock.now();
    this.#startMs = nowMs();
    this.#configuration = new ConfigurationKeeper(places.config, state.facts);
    const folder = new PolicyFolder(places.policies, places.lastGoodPolicies, openDurableFiles());
    this.#policies = new PolicyBook(folder, state.policies, nowMs);
    this.#rules = new MachineRules(options, (error) =>
      log.failure("The machine could not be asked about power, network or drives.", error),
    );
    this.#holds = new RunHolds({
      rules: this.#rules,
      inForce: () => this.#policies.inForce,
      zone: options.zone,
      nowMs,
    });
    const { jobs, places: repositories } = this.#makeJobs();
    this.#jobs = jobs;
    this.#repositories = repositories;
    this.#orders = new SessionOrders({
      jobs,
      inForce: () => this.#policies.inForce,
      guardRails: () => this.#configuration.orUsual.guardRails,
      guardedFolders: guardedFolders(places),
    });
    this.#server = new ServerSide({
      core,
      jobs,
      orders: this.#orders,
      inForce: () => this.#policies.inForce,
      status: () => this.#status(),
      hasBattery: () => this.#rules.hasBattery,
      reload: async () => await this.reload(),
    });
    this.#history = new SessionHistory(this.#jobs);
    this.#wake = new MachineWake(options.power, (error) =>
      log.failure("The machine can't be woken for a run.", error),
    );
    this.#scheduler = this.#makeScheduler();
    this.#events = this.#makeEvents();
    this.#machine = new MachineAfterRuns({
      core,
      jobs: this.#jobs,
      inForce: () => this.#policies.inForce,
    });
    this.#messages = new MessageService({
      state,
      clock,
      board,
      secret: async (policy, name) =>
        serverSecret(this.#policies.inForce.get(policy), name) ?? (await secrets.read(name)),
      onSecret: (secret) => log.redaction.hide(secret),
      hostName: options.hostName,
      isPolicy: (name) => this.#policies.inForce.has(name),
      waysOf: (policy) => this.#waysOf(policy),
      onFailure: (channel, policy, problem) =>
        log.warning("A message did not arrive.", { channel, policy, problem }),
    });
    this.#metrics = new MetricsService(() => this.#metricsText(), board);
    this.#serviceStatus = new ServiceStatus(
      options.service,
      () => this.#status(),
      () => this.#health.isMoving(),
    );
    this.#health = new HealthWatch({
      core,
      policies: this.#policies,
      history: this.#history,
      now: () => machineMoment(options),
      probes: () => this.#events.probes,
      secretsNeeded: () => this.#secretsNeeded(),
      onClockSet: () => this.#scheduler.wake(),
      onLooked: () => this.#looked(),
      isIdle: () => this.#jobs.running().length === 0 && this.#jobs.queued().length === 0,
    });
    this.#reloads = new PolicyReloads({
      core,
      configuration: this.#configuration,
      policies: this.#policies,
      bundle: () => this.#server.bundle,
      onRead: async (removed) => await this.#read(removed),
    });
  }

  /** Starts a daemon; resolves when it is at work. DAEMON_RUNNING, DAEMON_PLACE. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const core = await openCore(options);
    const daemon = new Daemon(core);
    try {
      await daemon.#start();
      return daemon;
    } catch (error) {
      core.log.failure("The daemon could not start.", error);
      await daemon.stop();
      throw error;
    }
  }

  /** Reads configuration and policies again. */
  async reload(): Promise<void> {
    await this.#reloads.reload();
  }

  /** Ends everything in order: a run stores what it has, within a minute. Harmless if called twice. */
  async stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    await this.#stopping;
  }

  /** Something that nobody caught. The daemon goes on: backups matter more than a part that is gone. */
  reportMistake(error: unknown): void {
    this.#core.log.failure("Something went wrong by a mistake of ours.", error);
  }

  async #start(): Promise<void> {
    const { options, place, log } = this.#core;
    const processId = process.pid;
    log.info("The daemon starts.", { version: programVersion, processId });
    // What the server wanted last is in force before anything is asked of the network.
    await this.#server.open();
    await this.#reloads.read();
    await Promise.all([this.#rules.refresh(), this.#events.start()]);
    this.#jobs.subscribe({
      changed: (session) => this.#sessionChanged(session),
      progress: () => this.#core.changes.tell(),
    });
    this.#jobs.start();
    this.#tellOfBoot();
    this.#scheduler.start();
    this.#messages.start();
    this.#api = await LocalApiServer.start({
      place,
      view: this.#view(),
      peers: openPeerIdentity(),
      ownUid: options.ownUid,
      onFailure: (error, request) => log.failure(`A request failed: ${request}.`, error),
    });
    await this.#reloads.watch();
    await this.#health.start();
    this.#server.start();
    this.#serviceStatus.ready();
    log.info("The daemon is at work.", { count: this.#policies.inForce.size });
  }

  async #stop(): Promise<void> {
    const { options, log, state, place } = this.#core;
    options.service.stopping(drainMs + 10_000);
    log.info("The daemon ends.");
    await this.#server.stop();
    await this.#reloads.stop();
    await this.#health.stop();
    await this.#events.stop();
    await this.#scheduler.stop();
    await this.#machine.stopActions();
    await this.#jobs.stop(drainMs);
    await this.#machine.stop();
    await this.#messages.stop();
    await this.#metrics.stop();
    await this.#api?.close();
    this.#serviceStatus.stop();
    await this.#wake.stop();
    state.close();
    log.info("The daemon has ended.");
    log.close();
    place.release();
  }

  #makeJobs(): ReturnType<typeof daemonJobs> {
    const { options } = this.#core;
    return daemonJobs({
      core: this.#core,
      secrets: options.secrets,
      rules: this.#rules,
      inForce: () => this.#policies.inForce,
      guardRails: () => this.#configuration.orUsual.guardRails,
      bundle: () => this.#server.bundle,
      recovery: (repositoryId) => this.#server.recovery(repositoryId),
      onKeys: (session, told) => this.#server.keysChanged(session, told),
      account: async (route, refused) => await this.#server.account(route, refused),
      hold: (session) => this.#holds.beforeStart(session),
    });
  }

  #makeScheduler(): RunScheduler {
    const { options, state, log } = this.#core;
    return new RunScheduler({
      inForce: () => this.#policies.inForce,
      memory: state.scheduleMemory,
      jobs: this.#jobs,
      lastEnded: (policy) => this.#history.of(policy).lastEnded,
      now: () => machineMoment(options),
      zone: options.zone,
      chance: Math.random,
      sleep: async (delayMs, signal) => await options.clock.sleep(delayMs, signal),
      onLeftOut: (policy, text) => log.info(`A run is left out: ${text}.`, { policy }),
      onFailure: (policy, error) => log.failure("A schedule went wrong.", error, { policy }),
      onWake: (atMs) => this.#wake.set(atMs),
    });
  }

  #makeEvents(): MachineEvents {
    const { options, log } = this.#core;
    return new MachineEvents({
      events: new SleepLocks(options.events, options.clock),
      happened: (event, target) => {
        const named = [...this.#policies.inForce.values()].filter(
          ({ policy }) =>
            target === undefined || this.#rules.isTarget(policy, target.path, target.fileSystemId),
        );
        this.#scheduler.happened(
          event,
          named.map(({ name }) => name),
        );
      },
      rulesChanged: () => void this.#rulesChanged(),
      timeChanged: () => void this.#health.look(),
      onEvent: ({ kind }) => {
        log.debug(`The system tells: ${kind}.`);
        if (kind === "network-change" || kind === "resume") this.#server.hurry();
      },
    });
  }

  #view(): LocalView {
    const { log, changes } = this.#core;
    return new LocalView({
      jobs: this.#jobs,
      orders: this.#orders,
      policies: this.#policies,
      log,
      changes,
      server: this.#server,
      status: () => this.#status(),
      metrics: () => this.#metricsText(),
      reload: async () => await this.reload(),
      doctor: async (signal) => await this.#doctor(signal),
      onPause: () => this.#machine.cancel(),
    });
  }

  #status(): StatusFacts {
    const { options, board } = this.#core;
    const server = this.#server.status;
    return statusFacts({
      nowMs: () => options.clock.now(),
      agent: {
        version: programVersion,
        hostName: options.hostName,
        mode: server?.state === "enrolled" ? "managed" : "standalone",
        ...(server !== undefined && { server }),
        processId: process.pid,
        startMs: this.#startMs,
      },
      inForce: () => this.#policies.inForce,
      history: this.#history,
      jobs: this.#jobs,
      nextRun: (policy) => this.#scheduler.nextRun(policy),
      conditions: () => board.reasons(),
    });
  }

  #metricsText(): string {
    const { user, system } = process.cpuUsage();
    const { outbox } = this.#core.state;
    return daemonMetrics(this.#status(), this.#counters, {
      residentBytes: process.memoryUsage.rss(),
      cpuSeconds: (user + system) / 1e6,
      messagesWaiting: outbox.waiting(),
      messagesDropped: outbox.dropped(),
    });
  }

  async #doctor(signal: AbortSignal): Promise<Awaited<ReturnType<typeof daemonDoctor>>> {
    const { options, places } = this.#core;
    return await daemonDoctor(
      {
        places,
        ownUid: options.ownUid,
        nowMs: () => options.clock.now(),
        latestKnownMs: () => this.#history.latestKnownMs(),
        inForce: () => this.#policies.inForce,
        repositories: this.#repositories,
        account: async (route) => await this.#server.account(route, undefined),
        secrets: options.secrets,
        secretsNeeded: () => this.#secretsNeeded(),
        power: options.power,
        probes: () => this.#events.probes,
      },
      signal,
    );
  }

  #secretsNeeded(): readonly string[] {
    // Those of the server bring theirs.
    const own = [...this.#policies.inForce.values()].filter(({ server }) => server === undefined);
    const policies = own.map(({ policy }) => policy);
    return secretsNeeded(policies, this.#configuration.orUsual.notifications);
  }

  #waysOf(policy: string): Notifications | undefined {
    const usual = this.#configuration.orUsual.notifications;
    if (policy === "") return usual;
    const found = this.#policies.inForce.get(policy);
    return found && mergedWays(found.policy.notifications, usual);
  }

  /** What rules ask of the machine has changed: sessions may start now, or must not go on. */
  async #rulesChanged(): Promise<void> {
    await this.#rules.refresh();
    for (const { session } of this.#jobs.running()) {
      const hold = this.#holds.always(session);
      if (hold !== undefined) this.#jobs.cancel(session.id, { by: "limits", text: hold.text });
    }
    this.#jobs.reconsider();
    this.#core.changes.tell();
  }

  #sessionChanged(session: SessionRecord): void {
    const { log, changes } = this.#core;
    logSession(log, session);
    this.#history.changed(session);
    if (session.kind === "backup") this.#backupChanged(session);
    this.#health.sessionChanged(session);
    this.#server.sessionChanged(session);
    changes.tell();
    // Jobs tell of it in the middle of their work.
    setImmediate(() => {
      this.#machine.sessionChanged(session);
      void this.#health.look();
    });
  }

  /** Messages, schedules and figures are about backups. */
  #backupChanged(session: SessionRecord): void {
    if (session.state === "finished") this.#counters.ended(session);
    this.#messages.sessionChanged(session);
    this.#scheduler.sessionChanged(session);
  }

  /** After a look at everything: whoever waits for it is told. */
  #looked(): void {
    this.#messages.healthChanged(overallHealth(this.#status()));
    this.#serviceStatus.refresh();
    this.#server.look();
  }

  /** Policies or the configuration were read again. */
  async #read(removed: readonly PolicyInForce[]): Promise<void> {
    const { log } = this.#core;
    const { log: logging, metrics } = this.#configuration.orUsual;
    log.setLevel(logging.level);
    await this.#metrics.serve(metrics.address);
    for (const { name, server } of removed) {
      this.#scheduler.forget(name);
      // What the server takes away does not end what runs.
      for (const { id, state } of sessionsOf(this.#jobs, name))
        if (server === undefined || state === "queued")
          this.#jobs.cancel(id, { by: "policy", text: "the policy was removed" });
    }
    this.#jobs.reconsider();
    this.#scheduler.wake();
    await this.#health.look();
  }

  /** A start of the machine that this agent has not seen yet is an event. */
  #tellOfBoot(): void {
    const { state, options } = this.#core;
    const { id } = options.limits.boot();
    const isNew = id !== "" && state.facts.get(bootFact) !== id;
    if (isNew) state.facts.put(bootFact, id);
    if (isNew) this.#scheduler.expect({ kind: "power-on", text: "the machine was started" });
  }
}
