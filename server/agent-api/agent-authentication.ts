/**
 * Who asks, for every route of the agents' API: the request's signature, time, body and number, and whether the agent may
 * ask at all. Routes behind it read `request.agent`.
 */

import { createHash } from "node:crypto";
import { pipeline, Transform } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { agentApi, answerHeaders } from "../../protocol/control/agent-api.ts";
import { agentRefusal } from "../../protocol/control/agent-problem.ts";
import { areTwoMachines, type Fingerprint } from "../../protocol/control/machine-fingerprint.ts";
import {
  bodyHash,
  type RequestClaims,
  type RequestSignature,
  readRequestSignature,
  requestWindowMs,
} from "../../protocol/control/request-signature.ts";
import type { AgentIdentity } from "../fleet/agent-identities.ts";
import type { FleetIdentity } from "../fleet/fleet-identity.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import type { App } from "../http/http-app.ts";

/** The agent that has signed the request. */
export interface RequestingAgent {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly identity: AgentIdentity;
  /** Serial of the newest bundle that it has; undefined if it has none. */
  readonly serial: number | undefined;
  /** Names one start of the agent; undefined if it didn't say. */
  readonly run: string | undefined;
  readonly fingerprint: Fingerprint | undefined;
  /** Where it came from: of the last proxy that is not ours, if there are any. */
  readonly address: string;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Set on every route with `access: { kind: "agent" }` of the agents' API, but for `enroll`. */
    agent: RequestingAgent;
  }
}

export interface AuthenticationParts {
  readonly ground: ServerGround;
  readonly fleet: Pick<FleetIdentity, "identities" | "nonces" | "presence">;
}

const emptyHash = bodyHash(new Uint8Array(0));

/**
 * Puts the authentication before every route of `scope` that wants an agent (`access` in its config). AGENT_REFUSED:
 * `signature-invalid`, `agent-unknown`, `clock-skew`, `agent-revoked`, `agent-suspended`, `identity-conflict`,
 * `request-replayed`.
 */
export function authenticateAgents(scope: App, parts: AuthenticationParts): void {
  const { ground, fleet } = parts;
  scope.decorateRequest("agent", {
    getter(): RequestingAgent {
      throw new Error("the route has no agent");
    },
  });
  scope.addHook("onSend", async (_request, reply) => {
    reply.header(answerHeaders.time, String(Math.round(ground.now())));
    if (!reply.hasHeader(answerHeaders.poll))
      reply.header(answerHeaders.poll, String(ground.settings.pollSeconds));
  });
  scope.addHook("onRequest", async (request) => {
    if (!isOfAgent(request)) return;
    const { claims, isBy } = signatureOf(request);
    if (request.routeOptions.url === agentApi.enroll) return;
    const identity = await fleet.identities.find(claims.iss);
    if (identity === undefined) throw agentRefusal("agent-unknown");
    if (!isBy(identity.key)) throw agentRefusal("signature-invalid");
    requireTime(claims, ground.now());
    requireGoodStanding(identity, claims, request.routeOptions.url === agentApi.fork);
    setAgent(request, identity, claims);
  });
  scope.addHook("preParsing", async (request, _reply, payload) => {
    if (!isOfAgent(request) || !hasBody(request)) return payload;
    const check = new BodyCheck(signatureOf(request).claims.bh);
    // Who reads the body hears of what went wrong.
    pipeline(payload, check, () => undefined);
    return check;
  });
  scope.addHook("preHandler", async (request) => {
    // A held request changes nothing and tells nothing twice: its number need not be kept.
    if (!isOfAgent(request) || request.routeOptions.url === agentApi.wake) return;
    await requireNewNumber(fleet, signatureOf(request).claims);
  });
  scope.addHook("onClose", async () => {
    await fleet.presence.flush().catch((error: unknown) => {
      ground.log.failure("When agents were heard of last could not be written.", error);
    });
  });
  scope.addHook("onResponse", async (request, reply) => noteSighting(parts, request, reply));
}

/** The signature of a request that brings its own key. AGENT_REFUSED: `signature-invalid`, `clock-skew`. */
export function requireSignedBy(
  request: FastifyRequest,
  issuer: string,
  key: Parameters<RequestSignature["isBy"]>[0],
  nowMs: number,
): void {
  const { claims, isBy } = signatureOf(request);
  if (claims.iss !== issuer || !isBy(key)) throw agentRefusal("signature-invalid");
  requireTime(claims, nowMs);
}

function isOfAgent(request: FastifyRequest): boolean {
  return request.routeOptions.config.access?.kind === "agent";
}

const signatures = new WeakMap<FastifyRequest, RequestSignature>();

/** Of method and path as they came, below the base address that proxies may take away. */
function signatureOf(request: FastifyRequest): RequestSignature {
  const known = signatures.get(request);
  if (known !== undefined) return known;
  const signature = readRequestSignature(request.headers.authorization);
  if (signature === undefined)
    throw agentRefusal("signature-invalid", "The request carries no signature of an agent.");
  const { htm, htp, bh } = signature.claims;
  if (htm !== request.method || htp !== request.url)
    throw agentRefusal("signature-invalid", "The signature is of another request.");
  if (!hasBody(request) && bh !== emptyHash)
    throw agentRefusal("signature-invalid", "The body that was signed is missing.");
  signatures.set(request, signature);
  return signature;
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

function requireTime({ timeMs }: RequestClaims, nowMs: number): void {
  if (Math.abs(timeMs - nowMs) > requestWindowMs) throw agentRefusal("clock-skew");
}

function requireGoodStanding(
  identity: AgentIdentity,
  { fingerprint }: RequestClaims,
  isFork: boolean,
): void {
  if (identity.status === "revoked") throw agentRefusal("agent-revoked");
  if (identity.status === "suspended") throw agentRefusal("agent-suspended");
  if (!identity.isContested || isFork || fingerprint === undefined) return;
  if (areTwoMachines(identity.fingerprint, fingerprint)) throw agentRefusal("identity-conflict");
}

async function requireNewNumber(
  { nonces }: AuthenticationParts["fleet"],
  { iss, jti, timeMs }: RequestClaims,
): Promise<void> {
  // As long as its time would be accepted, and a little more: clocks of replicas differ.
  const isNew = await nonces.use(`${iss}/${jti}`, timeMs + 2 * requestWindowMs);
  if (!isNew) throw agentRefusal("request-replayed");
}

function setAgent(request: FastifyRequest, identity: AgentIdentity, claims: RequestClaims): void {
  const { id, tenantId, name } = identity;
  const { serial, run, fingerprint } = claims;
  const address = request.ip;
  const agent = { id, tenantId, name, identity, serial, run, fingerprint, address };
  Object.defineProperty(request, "agent", { value: agent });
}

/** Those that were refused don't count: a copy must not pass for the machine. */
function noteSighting(
  { fleet }: AuthenticationParts,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  if (!Object.hasOwn(request, "agent") || reply.statusCode === 401 || reply.statusCode === 403)
    return;
  if (request.routeOptions.url === agentApi.fork) return;
  const { id, tenantId, address, serial, run, fingerprint } = request.agent;
  const agentVersion = /^backstay\/(\S{1,50})$/.exec(request.headers["user-agent"] ?? "")?.[1];
  fleet.presence.seen({ agentId: id, tenantId, address, agentVersion, serial, run, fingerprint });
}

/** Passes a body on and fails at its end if it isn't the one that was signed. */
class BodyCheck extends Transform {
  readonly #expected: string;
  readonly #hash = createHash("sha256");

  constructor(expected: string) {
    super();
    this.#expected = expected;
  }

  override _transform(
    piece: Buffer,
    _encoding: string,
    done: (error: null, piece: Buffer) => void,
  ): void {
    this.#hash.update(piece);
    done(null, piece);
  }

  override _flush(done: (error: Error | null) => void): void {
    if (this.#hash.digest("base64url") === this.#expected) done(null);
    else done(agentRefusal("signature-invalid", "The body is not the one that was signed."));
  }
}
