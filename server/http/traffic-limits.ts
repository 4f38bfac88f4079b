/**
 * What keeps a flood of requests from taking the server down: rates for each address, a bound on requests that are under
 * way, and less of the agents' work while the event loop lags. People come after machines only when nothing else helps.
 */
import { performance } from "node:perf_hooks";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { agentApi } from "../../protocol/control/agent-api.ts";
import { Problem } from "./problem.ts";
import { type RateLimit, TokenBuckets } from "./token-buckets.ts";

/** Kinds of traffic, each with limits of its own, so that one never starves another. */
export type Traffic = "agents" | "enrolment" | "management" | "gateway";

/** For each address; many machines may share one. */
export type RateLimits = Readonly<Record<Traffic, RateLimit>>;

export const usualRateLimits: RateLimits = {
  agents: { burst: 20_000, perSecond: 500 },
  enrolment: { burst: 500, perSecond: 20 },
  management: { burst: 500, perSecond: 100 },
  gateway: { burst: 20_000, perSecond: 2000 },
};

/**
 * Requests under way at once; held ones do not count. What a slow machine can't answer before those who ask give up is
 * better refused at once: else all its work is for nobody.
 */
const underWayMax: Readonly<Record<Traffic, number>> = {
  agents: 400,
  enrolment: 100,
  management: 200,
  gateway: 1000,
};
/** With more requests of agents under way than that, the server need not ask for more. */
const agentsBehind = 60;
/** Agents and enrolments are sent away while the event loop is later than this at two looks in a row: once is a pause. */
const lagMaxMs = 2000;
const lagLookMs = 250;

export interface TrafficFigures {
  readonly underWay: Readonly<Record<Traffic, number>>;
  readonly lagMs: number;
}

/** Puts the limits before every route of `app`; health and metrics have none. */
export function limitTraffic(
  app: FastifyInstance,
  limits: RateLimits,
  signal: AbortSignal,
): TrafficFigures {
  const now = (): number => performance.now();
  const buckets = {
    agents: new TokenBuckets(limits.agents, now),
    enrolment: new TokenBuckets(limits.enrolment, now),
    management: new TokenBuckets(limits.management, now),
    gateway: new TokenBuckets(limits.gateway, now),
  };
  const figures = {
    underWay: { agents: 0, enrolment: 0, management: 0, gateway: 0 },
    lagMs: 0,
    isLate: false,
  };
  watchLag(figures, signal);
  const counted = new WeakMap<FastifyRequest, Traffic>();

  app.addHook("onRequest", async (request, reply) => {
    const traffic = trafficOf(request.url);
    if (traffic === undefined) return;
    const waitSeconds = buckets[traffic].take(request.ip);
    if (waitSeconds > 0) throw tooMany(waitSeconds);
    if (request.routeOptions.config.isHeld === true) return;
    const isLate = figures.isLate && (traffic === "agents" || traffic === "enrolment");
    if (isLate || figures.underWay[traffic] >= underWayMax[traffic]) throw overloaded();
    figures.underWay[traffic]++;
    counted.set(request, traffic);
    reply.raw.once("close", () => release(request));
  });
  const release = (request: FastifyRequest): void => {
    const traffic = counted.get(request);
    if (traffic === undefined) return;
    counted.delete(request);
    figures.underWay[traffic]--;
  };
  app.addHook("onResponse", async (request) => release(request));
  return figures;
}

/** True while agents wait for what they have asked: what can be put off had better be. */
export function isBehind({ underWay }: TrafficFigures): boolean {
  return underWay.agents > agentsBehind;
}

function trafficOf(url: string): Traffic | undefined {
  if (url.startsWith(agentApi.enroll)) return "enrolment";
  if (url.startsWith("/agent/")) return "agents";
  if (url.startsWith("/api/")) return "management";
  return url.startsWith("/gateway/") ? "gateway" : undefined;
}

/** How much later than asked for a timer comes. */
function watchLag(figures: { lagMs: number; isLate: boolean }, signal: AbortSignal): void {
  let due = performance.now() + lagLookMs;
  const timer = setInterval(() => {
    const lateMs = Math.max(0, performance.now() - due);
    figures.isLate = Math.min(lateMs, figures.lagMs) > lagMaxMs;
    figures.lagMs = lateMs;
    due = performance.now() + lagLookMs;
  }, lagLookMs);
  timer.unref();
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}

function tooMany(waitSeconds: number): Problem {
  return new Problem({
    status: 429,
    code: "rate-limited",
    title: "Too many requests in a short time.",
    headers: { "retry-after": String(waitSeconds) },
  });
}

function overloaded(): Problem {
  return new Problem({
    status: 503,
    code: "overloaded",
    title: "The server has too much to do now.",
    headers: { "retry-after": String(10 + Math.floor(Math.random() * 20)) },
  });
}
