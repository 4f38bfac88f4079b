/**
 * How a machine becomes a member of a fleet, and leaves it. Every step can be repeated: whatever a kill, a lost answer or
 * a restart interrupts goes on with the same keys and takes the token's use once.
 */
import { readFile } from "node:fs/promises";
import type { Clock } from "../../platform/ports/clock.ts";
import type { MachineMarks } from "../../platform/ports/machine-marks.ts";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { agentApi } from "../../protocol/control/agent-api.ts";
import { refusalOf } from "../../protocol/control/agent-problem.ts";
import { privateKeyOf, rawPublicKey } from "../../protocol/control/curve-keys.ts";
import {
  type EnrolmentAnswer,
  type EnrolmentPending,
  type EnrolmentRequest,
  type EnrolmentToken,
  enrolmentAnswer,
  enrolmentPending,
  type ForkRequest,
  type MachineFacts,
} from "../../protocol/control/enrolment.ts";
import {
  parseEnrolmentToken,
  proveFork,
  proveToken,
} from "../../protocol/control/enrolment-token.ts";
import { keyThumbprint } from "../../protocol/control/key-thumbprint.ts";
import { areTwoMachines, type Fingerprint } from "../../protocol/control/machine-fingerprint.ts";
import { fingerprintOf } from "./fingerprint.ts";
import {
  type IdentityRecord,
  type MachineKeys,
  type Membership,
  newMachineKeys,
} from "./identity.ts";
import { type EnrolledMachine, enrolledMachine, type IdentityParts } from "./machine-identity.ts";
import type { ServerAnswer } from "./server-calls.ts";
import { ServerLink, type ServerPlace } from "./server-link.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface EnrolmentParts extends IdentityParts {
  readonly clock: Clock;
  /** For proxies. */
  readonly environment: Environment;
  /** Of this machine, told to the server. */
  readonly facts: MachineFacts;
  /** Of a private authority, PEM; for servers without pins. */
  readonly authorities?: string | undefined;
}

export interface EnrolmentWait {
  /** How long an approval is waited for, ms; 0: not at all. */
  readonly waitMs: number;
  /** Told each time that the server says that an administrator must approve; `key` is the thumbprint of the machine's. */
  readonly onWaiting?: (pending: EnrolmentPending, key: string) => void;
  readonly signal: AbortSignal;
}

const longestPollMs = 300_000;

/** What is waited for, for people: with what an administrator sees of this machine on the server. */
export function waitingText({ requestId, reason }: EnrolmentPending, key: string): string {
  return `${reason} It is request ${requestId} there, with the key ${key}.`;
}

/**
 * Enrols this machine. `token` as it was pasted; without one an enrolment that has begun goes on (NOT_ENROLLED if none
 * has). A machine that is enrolled by this token already is told so again.
 * ENROLMENT_TOKEN_INVALID, ENROLLED_ALREADY (by another token), ENROLMENT_WAITING (after `waitMs`), AGENT_REFUSED,
 * LINK_FAILED, LINK_UNTRUSTED, SECRET_PLACE, the signal's reason. After all but AGENT_REFUSED about the token it can go on.
 */
export async function enroll(
  parts: EnrolmentParts,
  wait: EnrolmentWait,
  pasted?: string,
): Promise<EnrolledMachine> {
  const given = pasted === undefined ? undefined : parseEnrolmentToken(pasted);
  const record = await readForEnrolment(parts, given !== undefined);
  const marks = await parts.marks.read();
  const known = record === undefined ? undefined : comparedWith(record, marks);
  // A copy of an enrolled machine that gets a token begins afresh.
  if (known?.membership !== undefined && (known.isOurs || given === undefined)) {
    const { membership } = known;
    if (given !== undefined && given.i !== membership.tokenId)
      throw new BackstayError("ENROLLED_ALREADY", { server: membership.urls[0] });
    return enrolledMachine(known.keys, membership, known.now);
  }
  const token = given ?? record?.enrolling;
  if (token === undefined) throw new BackstayError("NOT_ENROLLED");
  const keys =
    known?.isOurs === true ? known.keys : newMachineKeys((salt) => fingerprintOf(marks, salt));
  const begun: IdentityRecord = { version: 1, keys, enrolling: token };
  // Durable before the server hears of these keys: an answer that is lost must not strand them.
  if (JSON.stringify(begun) !== JSON.stringify(record)) await parts.store.write(begun);
  const answer = await askToEnrol(parts, wait, token, keys);
  const admitted = membershipOf(answer, token, parts.clock.now());
  await parts.store.write({ version: 1, keys, membership: admitted });
  return enrolledMachine(keys, admitted, keys.fingerprint);
}

/** The record, and whether it is of the machine with these marks. */
function comparedWith(
  record: IdentityRecord,
  marks: MachineMarks,
): IdentityRecord & { readonly now: Fingerprint; readonly isOurs: boolean } {
  const { fingerprint, fingerprintSalt } = record.keys;
  const now = fingerprintOf(marks, fingerprintSalt);
  return { ...record, now, isOurs: !areTwoMachines(fingerprint, now) };
}

/** What is there already; a damaged identity is given up if a token was given to replace it. */
async function readForEnrolment(
  { store }: EnrolmentParts,
  hasToken: boolean,
): Promise<IdentityRecord | undefined> {
  try {
    return (await store.read()).record;
  } catch (error) {
    if (hasToken && isBackstayError(error, "IDENTITY_DAMAGED")) return undefined;
    throw error;
  }
}

async function askToEnrol(
  parts: EnrolmentParts,
  wait: EnrolmentWait,
  token: EnrolmentToken,
  keys: MachineKeys,
): Promise<EnrolmentAnswer> {
  const identityKey = privateKeyOf("ed25519", keys.identitySeed);
  const halves = publicHalves(keys);
  const issuer = keyThumbprint(halves.identityKey);
  const place = { urls: token.u, pins: token.p, authorities: parts.authorities };
  const link = linkTo(parts, place, { issuer, key: identityKey });
  const body = (): EnrolmentRequest => ({
    version: 1,
    tokenId: token.i,
    ...halves,
    proof: proveToken(token, { ...halves, timeMs: link.nowMs() }),
    installationId: keys.installationId,
    fingerprint: keys.fingerprint,
    facts: parts.facts,
  });
  try {
    return await askUntilDecided(parts, wait, issuer, async () =>
      link.call({ method: "POST", path: agentApi.enroll, body: body(), signal: wait.signal }),
    );
  } catch (error) {
    // Nobody shall go on with a token that the server has refused for good.
    if (isFinal(error)) await parts.store.write({ version: 1, keys });
    throw error;
  } finally {
    link.close();
  }
}

function isFinal(error: unknown): boolean {
  const refusal = refusalOf(error);
  return refusal?.startsWith("token-") === true || refusal === "enrolment-denied";
}

/**
 * Of a machine whose identity is `copied`, or that was told `identity-conflict`: asks the server which of the two this is.
 * Resolves with this machine's identity from now on: the one it has, if no other machine uses it, or a new one.
 * ENROLMENT_WAITING, AGENT_REFUSED, LINK_FAILED, LINK_UNTRUSTED, SECRET_PLACE, NOT_ENROLLED, the signal's reason.
 */
export async function settleIdentity(
  parts: EnrolmentParts,
  place: Pick<ServerPlace, "urls" | "pins">,
  wait: EnrolmentWait,
): Promise<EnrolledMachine> {
  const { record } = await parts.store.read();
  if (record?.membership === undefined) throw new BackstayError("NOT_ENROLLED");
  const { keys, membership } = record;
  const marks = await parts.marks.read();
  const forking = record.forking ?? newMachineKeys((salt) => fingerprintOf(marks, salt));
  if (record.forking === undefined) await parts.store.write({ ...record, forking });
  const now = fingerprintOf(marks, keys.fingerprintSalt);
  const answer = await askToFork(parts, place, wait, { record, forking, now });
  if (answer.agentId === membership.agentId) {
    const kept = { ...keys, fingerprint: { ...keys.fingerprint, ...now } };
    await parts.store.write({ version: 1, keys: kept, membership });
    return enrolledMachine(kept, membership, now);
  }
  const { agentId, tenantId, tenantName, rootKey } = answer;
  const enrolledMs = parts.clock.now();
  const own = { ...membership, agentId, tenantId, tenantName, rootKey, enrolledMs };
  await parts.store.write({ version: 1, keys: forking, membership: own });
  return enrolledMachine(forking, own, forking.fingerprint);
}

async function askToFork(
  parts: EnrolmentParts,
  place: Pick<ServerPlace, "urls" | "pins">,
  wait: EnrolmentWait,
  fork: {
    readonly record: IdentityRecord;
    readonly forking: MachineKeys;
    readonly now: Readonly<Record<string, string>>;
  },
): Promise<EnrolmentAnswer> {
  const { keys, membership } = fork.record;
  const agentId = membership?.agentId ?? "";
  const trust = { ...place, authorities: parts.authorities };
  const key = privateKeyOf("ed25519", keys.identitySeed);
  const link = linkTo(parts, trust, { issuer: agentId, key }, fork.now);
  const halves = publicHalves(fork.forking);
  const newKey = privateKeyOf("ed25519", fork.forking.identitySeed);
  const body = (): ForkRequest => ({
    version: 1,
    ...halves,
    proof: proveFork(agentId, { ...halves, timeMs: link.nowMs() }, newKey),
    installationId: fork.forking.installationId,
    fingerprint: fork.forking.fingerprint,
    facts: parts.facts,
  });
  try {
    return await askUntilDecided(parts, wait, keyThumbprint(halves.identityKey), async () =>
      link.call({ method: "POST", path: agentApi.fork, body: body(), signal: wait.signal }),
    );
  } finally {
    link.close();
  }
}

/** Asks, and again while the server says that somebody must decide. */
async function askUntilDecided(
  { clock }: EnrolmentParts,
  { waitMs, onWaiting, signal }: EnrolmentWait,
  key: string,
  ask: () => Promise<ServerAnswer>,
): Promise<EnrolmentAnswer> {
  const beganMs = clock.monotonic();
  for (;;) {
    const { status, body } = await ask();
    const answer = status === 202 ? undefined : enrolmentAnswer.safeParse(body).data;
    if (answer !== undefined) return answer;
    const pending = enrolmentPending.safeParse(body).data;
    if (pending === undefined)
      throw new BackstayError("LINK_FAILED", { problem: `it answered ${status} without sense` });
    onWaiting?.(pending, key);
    const leftMs = waitMs - (clock.monotonic() - beganMs);
    if (leftMs <= 0) throw new BackstayError("ENROLMENT_WAITING", { request: pending.requestId });
    await clock.sleep(Math.min(pending.pollSeconds * 1000, longestPollMs, leftMs), signal);
  }
}

/**
 * Makes an image of this machine safe to copy: forgets identity, fingerprint and any enrolment. A token in
 * BACKSTAY_ENROLL_TOKEN or its file stays, and enrols each copy at its first start. SECRET_PLACE.
 */
export async function prepareImage({ store }: Pick<IdentityParts, "store">): Promise<void> {
  await store.clear();
}

/**
 * Forgets the membership and its keys; policies of the server and backups are others' business. Its token does not bring
 * the machine back by itself, only by hand. SECRET_PLACE.
 */
export async function forgetIdentity({ store }: Pick<IdentityParts, "store">): Promise<void> {
  await store.leave();
}

/**
 * The token for an unattended enrolment: BACKSTAY_ENROLL_TOKEN, or the text of the file that BACKSTAY_ENROLL_TOKEN_FILE
 * names, or of `file` if there is that; undefined if there is none of them, or the machine had joined by it and left.
 * ENROLMENT_TOKEN_INVALID if it can't be read or used.
 */
export async function unattendedToken(
  { store }: Pick<IdentityParts, "store">,
  environment: Environment,
  file: string,
): Promise<string | undefined> {
  const text = await unattendedText(environment, file);
  if (text === undefined) return undefined;
  const { i: tokenId } = parseEnrolmentToken(text);
  return tokenId === (await store.leftToken()) ? undefined : text;
}

async function unattendedText(environment: Environment, file: string): Promise<string | undefined> {
  const plain = environment["BACKSTAY_ENROLL_TOKEN"] ?? "";
  if (plain !== "") return plain;
  const named = environment["BACKSTAY_ENROLL_TOKEN_FILE"] ?? "";
  return named === "" ? await tokenIn(file, true) : await tokenIn(named, false);
}

async function tokenIn(file: string, mayBeMissing: boolean): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && mayBeMissing) return undefined;
    throw new BackstayError("ENROLMENT_TOKEN_INVALID", { file, problem: code }, error);
  }
}

function linkTo(
  { clock, environment }: EnrolmentParts,
  place: ServerPlace,
  identity: ServerLinkIdentity,
  fingerprint?: Readonly<Record<string, string>>,
): ServerLink {
  const sender = fingerprint === undefined ? {} : { sender: () => ({ fingerprint }) };
  return new ServerLink({ identity, place, clock, environment, ...sender });
}

type ServerLinkIdentity = ConstructorParameters<typeof ServerLink>[0]["identity"];

function publicHalves(keys: MachineKeys): { identityKey: string; sealingKey: string } {
  return {
    identityKey: rawPublicKey(privateKeyOf("ed25519", keys.identitySeed)),
    sealingKey: rawPublicKey(privateKeyOf("x25519", keys.sealingSeed)),
  };
}

function membershipOf(answer: EnrolmentAnswer, token: EnrolmentToken, nowMs: number): Membership {
  const { agentId, tenantId, tenantName, rootKey } = answer;
  return {
    agentId,
    tenantId,
    tenantName,
    rootKey,
    tokenId: token.i,
    urls: token.u,
    pins: token.p,
    enrolledMs: nowMs,
  };
}
