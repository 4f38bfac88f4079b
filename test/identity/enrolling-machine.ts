/** A machine with the agent's own code for identity, enrolment and the link, and time, disk and marks that a test sets. */
import { randomUUID } from "node:crypto";
import {
  type EnrolmentParts,
  type EnrolmentWait,
  enroll,
  settleIdentity,
} from "../../agent/control/enrolment.ts";
import { IdentityStore } from "../../agent/control/identity.ts";
import {
  type EnrolledMachine,
  type MachineIdentity,
  openIdentity,
} from "../../agent/control/machine-identity.ts";
import { ServerLink, type ServerPlace } from "../../agent/control/server-link.ts";
import { FakeClock } from "../../platform/fake/fake-clock.ts";
import { FakeMachineMarks } from "../../platform/fake/fake-machine-marks.ts";
import { refusalOf } from "../../protocol/control/agent-problem.ts";
import { probePath } from "./identity-server.ts";
import { factsOf } from "./made-machine.ts";
import { MemoryKeeper } from "./memory-keeper.ts";

const never = new AbortController().signal;

export class EnrollingMachine {
  readonly name: string;
  readonly keeper = new MemoryKeeper();
  readonly store: IdentityStore = new IdentityStore(this.keeper);
  readonly marks: FakeMachineMarks;
  readonly clock: FakeClock;
  /** HTTPS_PROXY and its kin. */
  environment: Readonly<Record<string, string>> = {};
  /** Of a private authority, PEM. */
  authorities: string | undefined;
  /** Serial that it signs along. */
  serial: number | undefined;
  readonly #links: ServerLink[] = [];

  /** `startMs`: its wall clock, ms since 1970. */
  constructor(name: string, startMs: number) {
    this.name = name;
    this.marks = new FakeMachineMarks(name);
    this.clock = new FakeClock(startMs);
  }

  get parts(): EnrolmentParts {
    const { store, marks, clock, environment, authorities, name } = this;
    return { store, marks, clock, environment, authorities, facts: factsOf(name) };
  }

  /** As the agent's `enroll`; waits for no approval if `wait` does not say so. */
  async enroll(token?: string, wait: Partial<EnrolmentWait> = {}): Promise<EnrolledMachine> {
    return await enroll(this.parts, { waitMs: 0, signal: never, ...wait }, token);
  }

  async settle(wait: Partial<EnrolmentWait> = {}): Promise<EnrolledMachine> {
    const { record } = await this.store.read();
    const place = record?.membership ?? { urls: [], pins: [] };
    return await settleIdentity(this.parts, place, { waitMs: 0, signal: never, ...wait });
  }

  async open(): Promise<MachineIdentity> {
    return await openIdentity(this.parts);
  }

  /** A start of its agent: the link with a run of its own. `place`: where the server is, if not as at enrolment. */
  async start(place?: ServerPlace): Promise<ServerLink> {
    const identity = await this.open();
    if (identity.kind !== "enrolled" && identity.kind !== "copied") throw new Error(identity.kind);
    const { membership, identityKey, fingerprint } = identity.machine;
    const run = randomUUID();
    const { authorities } = this;
    const link = new ServerLink({
      identity: { issuer: membership.agentId, key: identityKey },
      place: place ?? { urls: membership.urls, pins: membership.pins, authorities },
      sender: () => ({
        run,
        fingerprint,
        ...(this.serial !== undefined && { serial: this.serial }),
      }),
      clock: this.clock,
      environment: this.environment,
    });
    this.#links.push(link);
    return link;
  }

  /** A copy of its disk in other hardware. */
  copied(name: string): EnrollingMachine {
    const copy = new EnrollingMachine(name, this.clock.now());
    for (const [key, secret] of this.keeper.kept) copy.keeper.kept.set(key, secret);
    const { hardware, network } = copy.marks.marks;
    copy.marks.marks = { ...this.marks.marks, hardware, network };
    return copy;
  }

  /** Closes its links. */
  stop(): void {
    for (const link of this.#links) link.close();
  }
}

/** What the server says to a signed request: `ok`, the code of its refusal, or of the link's failure. */
export async function ask(link: ServerLink, signal: AbortSignal = never): Promise<string> {
  return await outcomeOf(link.call({ method: "GET", path: probePath, signal }));
}

/** `ok`, the code of a refusal of the server, or the code of the error. */
export async function outcomeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "ok";
  } catch (error) {
    return refusalOf(error) ?? (error as { code?: string }).code ?? String(error);
  }
}
