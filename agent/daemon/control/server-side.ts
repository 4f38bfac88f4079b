/**
 * The daemon's place in a fleet: whether it has a server, how it gets one, and how it leaves it. A machine without a server
 * loads nothing of what follows from having one.
 */
import { rmSync } from "node:fs";
import path from "node:path";
import { openDurableFiles } from "../../../platform/open-durable-files.ts";
import { BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import { refusalOf } from "../../../protocol/control/agent-problem.ts";
import type { EnrolAnswer } from "../../../protocol/local-api/orders.ts";
import type { ServerStatus } from "../../../protocol/local-api/status.ts";
import type { RepositoryOrder, RouteAccount, RouteOrder } from "../../../protocol/run-order.ts";
import type { SessionRecord } from "../../../protocol/session-record.ts";
import { BundleCopy } from "../../control/bundle-copy.ts";
import type { BundleInForce } from "../../control/bundle-in-force.ts";
import { retryDelayMs } from "../../control/link-pace.ts";
import {
  type EnrolledMachine,
  type IdentityParts,
  identityParts,
  openIdentity,
} from "../../control/machine-identity.ts";
import type { KeyMessage } from "../../jobs/engine-run.ts";
import type { FleetMember, FleetMemberParts } from "./fleet-member.ts";
import { belongTo, forgetFleet } from "./fleet-memory.ts";
import { clearServerConditions } from "./server-conditions.ts";

const dayMs = 86_400_000;
const enrolmentCodes = ["IDENTITY_DAMAGED", "ENROLMENT_WAITS", "ENROLMENT_REFUSED"] as const;

export class ServerSide {
  readonly #parts: FleetMemberParts;
  readonly #ending = new AbortController();
  #identity: IdentityParts | undefined;
  #member: FleetMember | undefined;
  /** Ends what goes on in the background to become a member, or to settle who is one. */
  #joining = new AbortController();
  #joined: Promise<void> = Promise.resolve();
  /** Why this machine is not admitted, if it asked for that. */
  #waiting: { readonly problem: string; readonly isRefused: boolean } | undefined;
  #isDamaged = false;
  /** Why the identity must not be used, until the server has settled whose it is. */
  #foreign: BackstayError | undefined;
  /** The server was asked which of two machines this is. */
  #isSettling = false;
  /** What is to be done once there may be network. */
  #begin: () => void = () => undefined;

  constructor(parts: FleetMemberParts) {
    this.#parts = parts;
  }

  /** Reads who this machine is, and puts in force what it kept of its server's wishes. No network; never rejects. */
  async open(): Promise<void> {
    const { log, board, places, options } = this.#parts.core;
    try {
      const identity = await identityParts(places.state, options.environment);
      this.#identity = identity;
      const found = await openIdentity(identity);
      for (const code of enrolmentCodes) board.set(code, "", undefined);
      if ("repaired" in found && found.repaired !== undefined)
        log.warning("A copy of the identity was mended.", { problem: found.repaired });
      if (found.kind === "enrolled" || found.kind === "copied") {
        await this.#become(found.machine, false);
        if (found.kind === "copied") {
          this.#foreign = found.error;
          log.failure("The server is asked whose the identity of this machine is.", found.error);
        }
        this.#begin =
          found.kind === "enrolled"
            ? () => this.#member?.start()
            : () => this.#inBackground(async (signal) => await this.#settle(signal));
      } else if (found.kind === "damaged") this.#damaged(found.error);
      else {
        await forgetFleet(this.#parts.core, this.#copy());
        await this.#joinByItself(identity, found.kind === "enrolling");
      }
    } catch (error) {
      this.#damaged(error);
    }
  }

  /** Begins to talk with the server, if there is one. */
  start(): void {
    this.#begin();
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#endJoining();
    await this.#member?.stop();
  }

  get bundle(): BundleInForce | undefined {
    return this.#member?.bundle;
  }

  get status(): ServerStatus | undefined {
    if (this.#member !== undefined) return this.#member.status;
    const nothing = { urls: [], clockOffsetMs: 0, reportsWaiting: 0 };
    if (this.#isDamaged) return { state: "damaged", ...nothing };
    if (this.#waiting === undefined) return undefined;
    const { problem, isRefused } = this.#waiting;
    return { state: isRefused ? "refused" : "enrolling", problem, ...nothing };
  }

  /** As `enroll` of agent/control/enrolment.ts; while an administrator must approve it, it goes on in the background. */
  async enrol(token: string): Promise<EnrolAnswer> {
    const { signal } = this.#ending;
    if (this.#member !== undefined && !this.#isDamaged) {
      const { agentId, tenant } = this.#member.status;
      throw new BackstayError("ENROLLED_ALREADY", { agent: agentId ?? "", tenant: tenant ?? "" });
    }
    await this.#endJoining();
    try {
      return await this.#admitted(await this.#ask(token, 0, signal));
    } catch (error) {
      if (!isBackstayError(error, "ENROLMENT_WAITING")) throw error;
      this.#inBackground(async (end) => await this.#admit(undefined, end));
      return { state: "waiting", text: this.#waiting?.problem ?? error.message };
    }
  }

  /** Fetches the newest policies now, and sends what waits. NOT_ENROLLED, IDENTITY_OF_OTHER_MACHINE, or as the link does. */
  async sync(): Promise<void> {
    const member = this.#required();
    if (this.#foreign !== undefined) throw this.#foreign;
    await member.sync();
  }

  /** Ends the membership; policies of the server end, backups stay. NOT_ENROLLED, SECRET_PLACE. */
  async leave(): Promise<void> {
    if (this.status === undefined) throw new BackstayError("NOT_ENROLLED");
    const { log, board, changes } = this.#parts.core;
    const { forgetIdentity } = await import("../../control/enrolment.ts");
    await this.#endJoining();
    await this.#member?.stop();
    // First who it is: without that nothing that is left of the fleet counts.
    if (this.#identity !== undefined) await forgetIdentity(this.#identity);
    this.#member = undefined;
    await forgetFleet(this.#parts.core, this.#copy());
    clearServerConditions(board);
    this.#joinedOrLeft();
    log.info("This machine has left its fleet.");
    await this.#parts.reload();
    changes.tell();
  }

  /** The machine woke up, or the network is another one. */
  hurry(): void {
    this.#member?.hurry();
  }

  /** What is true by time alone is looked at again. */
  look(): void {
    this.#member?.look();
  }

  sessionChanged(session: SessionRecord): void {
    this.#member?.sessionChanged(session);
  }

  recovery(repositoryId: string): RepositoryOrder["recovery"] {
    return this.#member?.recovery(repositoryId);
  }

  /** An account for an issued route. STORE_UNAVAILABLE, STORE_DENIED. */
  async account(route: RouteOrder, refused: RouteAccount | undefined): Promise<RouteAccount> {
    if (this.#member !== undefined) return await this.#member.account(route, refused);
    throw new BackstayError("STORE_DENIED", { problem: "this machine belongs to no fleet" });
  }

  /** An engine has changed the keys of a repository. */
  keysChanged(session: SessionRecord, told: KeyMessage): void {
    const repositoryId = this.#parts.inForce().get(session.policy)?.server?.repositoryId;
    if (repositoryId !== undefined) this.#member?.keysChanged(repositoryId, session, told);
  }

  #required(): FleetMember {
    if (this.#member === undefined) throw new BackstayError("NOT_ENROLLED");
    return this.#member;
  }

  async #become(machine: EnrolledMachine, isNew: boolean): Promise<FleetMember> {
    const { FleetMember } = await import("./fleet-member.ts");
    const copy = this.#copy();
    await belongTo(machine.membership.agentId, this.#parts.core, copy);
    const member = new FleetMember(this.#parts, {
      machine,
      copy,
      isNew,
      onConflict: () => this.#conflict(),
      onLeave: () => void this.#leaveByOrder(),
    });
    await member.open();
    this.#member = member;
    return member;
  }

  #copy(): BundleCopy {
    const folder = path.join(this.#parts.core.places.state, "identity");
    return new BundleCopy(openDurableFiles(), folder);
  }

  async #leaveByOrder(): Promise<void> {
    try {
      await this.leave();
    } catch (error) {
      this.#parts.core.log.failure("This machine could not leave its fleet.", error);
    }
  }

  /** An enrolment that had begun goes on; a token that was left for that begins one. */
  async #joinByItself(identity: IdentityParts, hasBegun: boolean): Promise<void> {
    const { options, places } = this.#parts.core;
    const { environment } = options;
    try {
      const { unattendedToken } = await import("../../control/enrolment.ts");
      const token = hasBegun
        ? undefined
        : await unattendedToken(identity, environment, places.enrolmentTokenFile);
      if (!hasBegun && token === undefined) return;
      this.#waiting = { problem: "it has not answered yet", isRefused: false };
      this.#begin = () => this.#inBackground(async (signal) => await this.#admit(token, signal));
    } catch (error) {
      if (!isBackstayError(error, "ENROLMENT_TOKEN_INVALID")) throw error;
      this.#refused(error);
    }
  }

  #inBackground(work: (signal: AbortSignal) => Promise<void>): void {
    this.#joining = new AbortController();
    const signal = AbortSignal.any([this.#joining.signal, this.#ending.signal]);
    this.#joined = work(signal).catch((error: unknown) => {
      if (!signal.aborted) this.#parts.core.log.failure("The enrolment can't go on.", error);
    });
  }

  async #endJoining(): Promise<void> {
    this.#joining.abort();
    await this.#joined;
  }

  /** Asks until the server has decided. */
  async #admit(token: string | undefined, signal: AbortSignal): Promise<void> {
    const machine = await this.#persist(signal, async () => await this.#ask(token, dayMs, signal));
    if (machine !== undefined) await this.#admitted(machine);
  }

  /** Which of two machines with one identity this is. */
  async #settle(signal: AbortSignal): Promise<void> {
    const member = this.#required();
    const { board, log } = this.#parts.core;
    const problem = this.#foreign?.message;
    board.set("IDENTITY_CONFLICT", "", problem === undefined ? {} : { problem });
    const { settleIdentity, waitingText } = await import("../../control/enrolment.ts");
    const before = member.status;
    const machine = await this.#persist(signal, async () => {
      return await settleIdentity(await this.#enrolmentParts(), member.place, {
        waitMs: dayMs,
        onWaiting: (...pending) => this.#isWaiting(waitingText(...pending)),
        signal,
      });
    });
    if (machine === undefined) return;
    this.#foreign = undefined;
    const isAnother = machine.membership.agentId !== before.agentId;
    log.warning(
      isAnother ? "This copy has an identity of its own now." : "The identity is this machine's.",
    );
    await member.stop();
    board.set("IDENTITY_CONFLICT", "", undefined);
    await this.#admitted(machine);
  }

  #conflict(): void {
    if (this.#member === undefined || this.#isSettling) return;
    this.#isSettling = true;
    this.#inBackground(async (signal) => {
      try {
        // Not from within its own talk with the server, which ends with it.
        await Promise.resolve();
        await this.#settle(signal);
      } finally {
        this.#isSettling = false;
      }
    });
  }

  async #admitted(machine: EnrolledMachine): Promise<EnrolAnswer> {
    const { log, changes } = this.#parts.core;
    const { agentId, tenantName } = machine.membership;
    const member = await this.#become(machine, true);
    this.#joinedOrLeft();
    log.info("This machine belongs to a fleet.", { subject: agentId });
    await this.#parts.reload();
    member.start();
    changes.tell();
    return { state: "enrolled", agentId, tenant: tenantName, text: "" };
  }

  /** Tries until it succeeds; undefined if it was given up, or the server has refused for good. */
  async #persist(
    signal: AbortSignal,
    attempt: () => Promise<EnrolledMachine>,
  ): Promise<EnrolledMachine | undefined> {
    const { clock } = this.#parts.core.options;
    for (let failures = 1; !signal.aborted; failures += 1)
      try {
        return await attempt();
      } catch (error) {
        if (signal.aborted) return undefined;
        if (isFinal(error)) {
          this.#refused(error);
          return undefined;
        }
        this.#isWaiting(textOf(error));
        const delayMs = retryDelayMs(failures, undefined, Math.random);
        await clock.sleep(delayMs, signal).catch(() => undefined);
      }
    return undefined;
  }

  async #ask(
    token: string | undefined,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<EnrolledMachine> {
    const { enroll, waitingText } = await import("../../control/enrolment.ts");
    const onWaiting = (...pending: Parameters<typeof waitingText>): void =>
      this.#isWaiting(waitingText(...pending));
    return await enroll(await this.#enrolmentParts(), { waitMs, onWaiting, signal }, token);
  }

  async #enrolmentParts() {
    const { core, hasBattery } = this.#parts;
    const { clock, environment } = core.options;
    const { machineFacts } = await import("../../control/machine-facts.ts");
    this.#identity ??= await identityParts(core.places.state, environment);
    const facts = machineFacts(environment, hasBattery());
    return { ...this.#identity, clock, environment, facts };
  }

  #isWaiting(problem: string): void {
    const { board, log, changes } = this.#parts.core;
    if (this.#member === undefined) {
      if (this.#waiting?.problem !== problem)
        log.warning("The enrolment is not done yet.", { problem });
      this.#waiting = { problem, isRefused: false };
      board.set("ENROLMENT_WAITS", "", { problem });
    } else board.set("IDENTITY_CONFLICT", "", { problem });
    changes.tell();
  }

  /** The server has said no, and asking again will not change it. */
  #refused(error: unknown): void {
    const { board, log, changes } = this.#parts.core;
    const problem = textOf(error);
    log.failure("This machine is not admitted.", error);
    if (this.#member === undefined) {
      this.#waiting = { problem, isRefused: true };
      board.set("ENROLMENT_WAITS", "", undefined);
      board.set("ENROLMENT_REFUSED", "", { problem });
    } else board.set("IDENTITY_CONFLICT", "", { problem });
    changes.tell();
  }

  #joinedOrLeft(): void {
    this.#isDamaged = false;
    this.#waiting = undefined;
    for (const code of enrolmentCodes) this.#parts.core.board.set(code, "", undefined);
    this.#removeToken();
  }

  /** The one in a file is a secret that nobody needs any more. */
  #removeToken(): void {
    const { places, log } = this.#parts.core;
    try {
      rmSync(places.enrolmentTokenFile, { force: true });
    } catch (error) {
      log.failure("The enrolment token can't be removed.", error);
    }
  }

  #damaged(error: unknown): void {
    const { log, board } = this.#parts.core;
    const problem = textOf(error);
    log.failure("The identity of this machine can't be used.", error);
    this.#isDamaged = true;
    board.set("IDENTITY_DAMAGED", "", { problem });
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function isFinal(error: unknown): boolean {
  const refusal = refusalOf(error);
  const isRefused = refusal?.startsWith("token-") === true || refusal === "enrolment-denied";
  return isRefused || isBackstayError(error, "ENROLMENT_TOKEN_INVALID");
}
