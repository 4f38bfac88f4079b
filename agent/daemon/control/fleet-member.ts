/**
 * A machine that belongs to a fleet: what its server wants of it, and what it tells its server. Everything that was agreed
 * works without the server; what is to be told waits for it.
 */
import { randomUUID } from "node:crypto";
import { BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import { agentApi } from "../../../protocol/control/agent-api.ts";
import { refusalOf } from "../../../protocol/control/agent-problem.ts";
import { type CommandDocument, commandDocument } from "../../../protocol/control/command.ts";
import { entitlementStand } from "../../../protocol/control/entitlement-stand.ts";
import type { AgentStatus } from "../../../protocol/control/reports.ts";
import { verifyDocument } from "../../../protocol/control/signed-document.ts";
import type { ServerStatus, StatusFacts } from "../../../protocol/local-api/status.ts";
import type { RepositoryOrder, RouteAccount, RouteOrder } from "../../../protocol/run-order.ts";
import type { SessionRecord } from "../../../protocol/session-record.ts";
import { BundleBook } from "../../control/bundle-book.ts";
import type { BundleCopy } from "../../control/bundle-copy.ts";
import type { BundleInForce } from "../../control/bundle-in-force.ts";
import { CommandJournal } from "../../control/command-journal.ts";
import { CommandRunner } from "../../control/command-runner.ts";
import { ControlLoop, type ServerContact } from "../../control/control-loop.ts";
import { machineFacts } from "../../control/machine-facts.ts";
import type { EnrolledMachine } from "../../control/machine-identity.ts";
import { ReportOutbox } from "../../control/report-outbox.ts";
import { ServerLink } from "../../control/server-link.ts";
import { StatusSender } from "../../control/status-sender.ts";
import { TrustedTime } from "../../control/trusted-time.ts";
import type { KeyMessage } from "../../jobs/engine-run.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import type { DaemonCore } from "../daemon-core.ts";
import type { PolicyInForce } from "../policy-book.ts";
import type { SessionOrders } from "../session-orders.ts";
import { CommandWork } from "./command-work.ts";
import { contactFact } from "./fleet-memory.ts";
import { IssuedAccounts } from "./issued-accounts.ts";
import { RecoveryDeposits } from "./recovery-deposits.ts";
import { bundleConditions, contactConditions } from "./server-conditions.ts";
import { statusReport } from "./status-report.ts";
import { supportArchive } from "./support-archive.ts";

export interface FleetMemberParts {
  readonly core: DaemonCore;
  readonly jobs: Jobs;
  readonly orders: SessionOrders;
  readonly inForce: () => ReadonlyMap<string, PolicyInForce>;
  readonly status: () => StatusFacts;
  readonly hasBattery: () => boolean | undefined;
  /** Reads all policies again: there is another bundle. */
  readonly reload: () => Promise<void>;
}

/** One membership. */
export interface Membership {
  readonly machine: EnrolledMachine;
  readonly copy: BundleCopy;
  /** Enrolled just now: the server is asked at once. */
  readonly isNew: boolean;
  /** The server says that another machine uses this identity. */
  readonly onConflict: () => void;
  /** The server wants this machine to leave, and knows that it will. */
  readonly onLeave: () => void;
}

const recentSessions = 100;
const leaveLookMs = 1000;
const leaveLooksMax = 60;

export class FleetMember {
  readonly #parts: FleetMemberParts;
  readonly #membership: Membership;
  readonly #book: BundleBook;
  readonly #link: ServerLink;
  readonly #time: TrustedTime;
  readonly #journal: CommandJournal;
  readonly #reports: ReportOutbox;
  readonly #deposits: RecoveryDeposits;
  readonly #accounts: IssuedAccounts;
  readonly #loop: ControlLoop;
  readonly #ending = new AbortController();
  #isLeaving = false;
  #isStarted = false;

  constructor(parts: FleetMemberParts, membership: Membership) {
    this.#parts = parts;
    this.#membership = membership;
    const { options, state } = parts.core;
    const { clock } = options;
    const { membership: place, sealingKey } = membership.machine;
    const { agentId, tenantId, rootKey } = place;
    this.#book = new BundleBook({
      reader: { agentId, tenantId, rootKey, sealingKey },
      store: state.bundles,
      copy: membership.copy,
      nowMs: () => clock.now(),
    });
    this.#link = this.#makeLink();
    this.#time = new TrustedTime({
      clock,
      facts: state.facts,
      offsetMs: () => this.#link.clockOffsetMs,
    });
    this.#deposits = new RecoveryDeposits(state.facts, agentId);
    const nowMs = (): number => this.#time.nowMs();
    this.#accounts = new IssuedAccounts({
      link: this.#link,
      facts: state.facts,
      sealingKey,
      clock,
      nowMs,
      signal: this.#ending.signal,
      onFailure: (error) =>
        parts.core.log.failure("The server gives no account for the storage.", error),
    });
    this.#journal = new CommandJournal({
      store: state.commands,
      nowMs,
      onWord: () => this.#loop.commandChanged(),
    });
    this.#reports = this.#makeReports();
    this.#loop = this.#makeLoop();
  }

  /** Puts what this machine kept of its server's wishes in force. No network is needed. */
  async open(): Promise<void> {
    const bundle = await this.#book.load();
    if (bundle !== undefined) this.#link.moveTo(bundle.server);
    this.#conditions();
  }

  /** Begins to talk with the server. */
  start(): void {
    const { state } = this.#parts.core;
    const { enrolledMs } = this.#membership.machine.membership;
    // In case the daemon died between the end of a session and its report.
    for (const session of state.sessions.list({ states: ["finished"], limit: recentSessions }))
      if ((session.finishedMs ?? 0) >= enrolledMs) this.#report(session);
    this.#isStarted = true;
    this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    if (this.#isStarted) await this.#loop.stop();
    this.#link.close();
  }

  get bundle(): BundleInForce | undefined {
    return this.#book.inForce;
  }

  /** How the server is reached. */
  get place(): BundleInForce["server"] {
    const { urls, pins } = this.#membership.machine.membership;
    return this.bundle?.server ?? { urls, pins };
  }

  get status(): ServerStatus {
    const { agentId, tenantName } = this.#membership.machine.membership;
    const { bundle } = this;
    const { lastGoodMs, problem, failures } = this.#loop.contact;
    const known = this.#parts.core.state.facts.get(contactFact);
    const lastContactMs = lastGoodMs ?? (typeof known === "number" ? known : undefined);
    return {
      state: "enrolled",
      agentId,
      tenant: tenantName,
      urls: this.place.urls,
      ...(lastContactMs !== undefined && { lastContactMs }),
      ...(failures > 0 && problem instanceof Error && { problem: problem.message }),
      ...(bundle !== undefined && { serial: bundle.serial, issuedMs: bundle.issuedMs }),
      licence: entitlementStand(bundle?.entitlement, this.#time.nowMs()),
      clockOffsetMs: this.#link.clockOffsetMs,
      reportsWaiting: this.#reports.waiting(),
    };
  }

  /** Fetches the newest bundle now, and sends what waits. Rejects as the link does. */
  async sync(): Promise<void> {
    await this.#loop.syncNow();
  }

  /** The machine woke up, or the network is another one. */
  hurry(): void {
    this.#loop.hurry(15_000);
  }

  /** What is true by time alone is looked at again. */
  look(): void {
    this.#conditions();
    this.#loop.statusChanged();
  }

  sessionChanged(session: SessionRecord): void {
    if (session.state === "finished") this.#report(session);
    this.#loop.statusChanged();
  }

  /** An account for an issued route. STORE_UNAVAILABLE, STORE_DENIED. */
  async account(route: RouteOrder, refused: RouteAccount | undefined): Promise<RouteAccount> {
    return await this.#accounts.account(route, refused);
  }

  /** What an order is to ask for by way of a recovery password. */
  recovery(repositoryId: string): RepositoryOrder["recovery"] {
    return this.#deposits.wanted(repositoryId, this.bundle?.recoveryKey);
  }

  /** An engine has changed the keys of a repository of the server. */
  keysChanged(repositoryId: string, { policy }: SessionRecord, told: KeyMessage): void {
    const { log } = this.#parts.core;
    const recoveryKey = this.bundle?.recoveryKey;
    if (told.type === "recovery") {
      // A key that is not wanted any more opens the repository for nobody: its password is forgotten here.
      if (recoveryKey === undefined) return;
      this.#deposits.add(repositoryId, recoveryKey, told.keyName, told.password);
      log.info("A recovery password was made and sealed for the server.", { policy });
      void this.#deposit();
      return;
    }
    const { oldKeyProblem } = told;
    const text =
      oldKeyProblem === undefined
        ? "The repository has its new password, and the old one is gone."
        : `The repository has its new password; the old one still opens it: ${oldKeyProblem}`;
    this.#reports.addEvent({ code: "PASSWORD_CHANGED", severity: "info", text, subject: policy });
  }

  #makeLink(): ServerLink {
    const { clock, environment } = this.#parts.core.options;
    const { machine } = this.#membership;
    const { agentId, urls, pins } = machine.membership;
    const run = randomUUID();
    return new ServerLink({
      identity: { issuer: agentId, key: machine.identityKey },
      place: { urls, pins },
      sender: () => ({ run, serial: this.#book.acceptedSerial, fingerprint: machine.fingerprint }),
      clock,
      environment,
      onServerTime: (serverMs) => this.#time.heard(serverMs),
    });
  }

  #makeReports(): ReportOutbox {
    const { state, log } = this.#parts.core;
    return new ReportOutbox({
      store: state.reports,
      link: this.#link,
      nowMs: () => this.#time.nowMs(),
      offsetMs: () => this.#link.clockOffsetMs,
      onRejected: (id, reason) =>
        log.error("The server can't take a report; it is dropped.", {
          subject: id,
          problem: reason,
        }),
      onAdded: () => this.#loop.reportAdded(),
    });
  }

  #makeLoop(): ControlLoop {
    const { core } = this.#parts;
    const { options, log } = core;
    const nowMs = (): number => this.#time.nowMs();
    const link = this.#link;
    const commands = new CommandRunner({
      journal: this.#journal,
      executor: this.#makeWork(),
      link,
      verify: (jws) => this.#verified(jws),
      renewTrust: async (signal) => void (await this.#loop.fetchBundle(signal)),
      nowMs,
      onRefused: (error) => log.failure("A command is not signed as it must be.", error),
    });
    const status = new StatusSender({
      link,
      status: () => this.#statusReport(),
      monotonicMs: () => options.clock.monotonic(),
    });
    return new ControlLoop({
      link,
      bundles: this.#keeper(),
      commands,
      reports: this.#reports,
      status,
      clock: options.clock,
      chance: Math.random,
      isNewlyEnrolled: this.#membership.isNew,
      onContact: (contact) => this.#contacted(contact),
    });
  }

  #makeWork(): CommandWork {
    const { core, jobs, orders, inForce, status } = this.#parts;
    const policies = (): object =>
      Object.fromEntries([...inForce()].map(([name, { values }]) => [name, values]));
    return new CommandWork({
      jobs,
      orders,
      cacheRoot: core.places.cache,
      sync: async () => await this.sync(),
      sendLogs: async (id, signal) => {
        const bytes = await supportArchive({ core, jobs, status, policies });
        const path = agentApi.commandUpload(encodeURIComponent(id));
        await this.#link.call({ method: "PUT", path, bytes, signal });
        return bytes.length;
      },
      leave: () => void this.#leave(),
    });
  }

  #keeper(): { readonly hash: string | undefined; accept(jws: string): Promise<void> } {
    const hash = (): string | undefined => this.bundle?.hash;
    return {
      get hash() {
        return hash();
      },
      accept: async (jws) => await this.#offered(jws),
    };
  }

  async #offered(jws: string): Promise<void> {
    const { log } = this.#parts.core;
    const verdict = await this.#book.offer(jws, this.#ending.signal);
    if (verdict.kind === "refused") {
      log.failure("What the server sent can't be used.", verdict.reason);
      const { code, message } = verdict.reason;
      this.#reports.addEvent({ code, severity: "error", text: message });
    }
    if (verdict.kind === "accepted") {
      log.info("The server's wishes are new.", { version: String(verdict.bundle.serial) });
      this.#link.moveTo(verdict.bundle.server);
    }
    this.#conditions();
    if (verdict.kind === "accepted") await this.#parts.reload();
  }

  /** SIGNED_…: not the server's, or not for this machine. */
  #verified(jws: string): CommandDocument {
    const keys = this.bundle?.trust.roles.policy ?? [];
    const command = verifyDocument<CommandDocument>(jws, {
      type: "command",
      schema: commandDocument,
      keys,
    });
    const { agentId, tenantId } = this.#membership.machine.membership;
    if (command.agentId !== agentId || command.tenantId !== tenantId)
      throw new BackstayError("SIGNED_BADLY", { problem: "it is for another machine" });
    return command;
  }

  #contacted(contact: ServerContact): void {
    const { board, log, state, changes } = this.#parts.core;
    contactConditions(board, contact);
    this.#conditions();
    if (contact.failures === 0) {
      state.facts.put(contactFact, contact.lastGoodMs);
      void this.#deposit();
    } else if (contact.failures === 1)
      log.failure("The server did not answer as it should.", contact.problem);
    else if (isBackstayError(contact.problem) === false)
      log.failure("The talk with the server went wrong by a mistake of ours.", contact.problem);
    if (refusalOf(contact.problem) === "identity-conflict") this.#membership.onConflict();
    changes.tell();
  }

  #conditions(): void {
    bundleConditions(this.#parts.core.board, {
      bundle: this.bundle,
      refusal: this.#book.refusal,
      trustedMs: this.#time.nowMs(),
      clockOffsetMs: this.#link.clockOffsetMs,
    });
  }

  #statusReport(): AgentStatus {
    const { core, inForce, status, hasBattery } = this.#parts;
    const { refusal } = this.#book;
    const { bundle } = this;
    return statusReport({
      status: status(),
      inForce: inForce(),
      bundle: {
        ...(bundle !== undefined && { serial: bundle.serial }),
        state: refusal !== undefined ? "refused" : bundle === undefined ? "none" : "applied",
        ...(refusal !== undefined && { code: refusal.code, text: refusal.message }),
      },
      destinations: bundle?.destinations.values() ?? [],
      facts: machineFacts(core.options.environment, hasBattery()),
      fingerprint: this.#membership.machine.fingerprint,
      clockOffsetMs: this.#link.clockOffsetMs,
    });
  }

  #report(session: SessionRecord): void {
    const { bundle } = this;
    this.#reports.addSession(session, {
      issues: this.#parts.core.state.sessions.issues(session.id),
      ...(bundle !== undefined && { bundleSerial: bundle.serial }),
      ...(session.route !== undefined && { route: session.route }),
    });
  }

  async #deposit(): Promise<void> {
    if (this.#deposits.areAllDelivered) return;
    try {
      await this.#deposits.send(this.#link, this.#ending.signal);
    } catch (error) {
      if (!this.#ending.signal.aborted)
        this.#parts.core.log.failure("A recovery password waits for the server.", error);
    }
  }

  /** Once the server has heard that it was done, or a minute later. */
  async #leave(): Promise<void> {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    const { clock } = this.#parts.core.options;
    try {
      for (let looks = 0; looks < leaveLooksMax; looks += 1) {
        await clock.sleep(leaveLookMs, this.#ending.signal);
        const isDone = this.#journal.unfinished().every(({ document }) => !isLeave(document));
        if (isDone && this.#journal.untold().length === 0) break;
      }
    } catch {
      // The daemon ends; the command goes on at its next start.
      return;
    }
    this.#membership.onLeave();
  }
}

function isLeave({ order }: CommandDocument): boolean {
  return order.kind === "leave";
}
