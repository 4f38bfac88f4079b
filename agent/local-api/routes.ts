/** What can be asked of the local API: method and path, who may, and how it is answered. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { DoctorReport } from "../../protocol/local-api/doctor-check.ts";
import type { SessionQuery } from "../../protocol/session-record.ts";
import type { Call, OpenStream, RouteContext } from "./call.ts";
import { bodies, checked } from "./request-body.ts";
import { statusView } from "./status-view.ts";
import { streamLog, streamSession, streamStatus } from "./streams.ts";

interface RouteHead {
  readonly method: "GET" | "POST";
  /** Below the version; a part may be `*`. */
  readonly path: string;
  /** True if users who may not control the daemon may ask this too. */
  readonly isForEverybody?: true;
  /** How long an answer may take, if that is more than usual, ms. */
  readonly limitMs?: number;
}

export type Route = RouteHead &
  (
    | { readonly json: (context: RouteContext, call: Call) => unknown }
    | { readonly text: (context: RouteContext) => string | Promise<string> }
    | { readonly stream: (context: RouteContext, call: Call, open: OpenStream) => Promise<void> }
  );

const doctorLimitMs = 90_000;
/** Several addresses may have to be tried. */
const serverLimitMs = 150_000;
const logLinesMax = 10_000;
const sessionsMax = 1000;

export const routes: readonly Route[] = [
  {
    method: "GET",
    path: "/status",
    isForEverybody: true,
    json: async ({ view }, { caller }) => statusView(await view.status(), caller.mayControl),
  },
  { method: "GET", path: "/watch", isForEverybody: true, stream: streamStatus },
  {
    method: "GET",
    path: "/sessions",
    json: async ({ view }, { query }) => ({ sessions: await view.sessions(sessionQuery(query)) }),
  },
  {
    method: "GET",
    path: "/sessions/*",
    json: async ({ view }, { name }) =>
      found(await view.session(name), new BackstayError("SESSION_NOT_FOUND", { session: name })),
  },
  { method: "GET", path: "/sessions/*/follow", stream: streamSession },
  {
    method: "POST",
    path: "/run",
    json: ({ view }, { body, caller }) => view.run(checked(bodies.run, body).policy, caller.text),
  },
  {
    method: "POST",
    path: "/restore",
    json: ({ view }, { body, caller }) => view.restore(checked(bodies.restore, body), caller.text),
  },
  {
    method: "POST",
    path: "/check",
    json: ({ view }, { body, caller }) => view.check(checked(bodies.check, body), caller.text),
  },
  {
    method: "POST",
    path: "/stop",
    json: ({ view }, { body, caller }) => view.stop(checked(bodies.stop, body).policy, caller.text),
  },
  {
    method: "POST",
    path: "/pause",
    json: ({ view }, { body, caller }) => view.pause(checked(bodies.pause, body), caller.text),
  },
  {
    method: "POST",
    path: "/resume",
    json: ({ view }, { body, caller }) =>
      view.resume(checked(bodies.resume, body).policy, caller.text),
  },
  { method: "GET", path: "/policies", json: ({ view }) => view.policies() },
  {
    method: "GET",
    path: "/policies/*",
    json: async ({ view }, { name }) =>
      found(await view.policy(name), new BackstayError("POLICY_UNKNOWN", { policy: name })),
  },
  {
    method: "POST",
    path: "/reload",
    json: ({ view }, { body }) => {
      checked(bodies.nothing, body);
      return view.reload();
    },
  },
  {
    method: "POST",
    path: "/enroll",
    limitMs: serverLimitMs,
    json: ({ view }, { body, caller }) => view.enroll(checked(bodies.enroll, body), caller.text),
  },
  {
    method: "POST",
    path: "/sync",
    limitMs: serverLimitMs,
    json: async ({ view }, { body }) => {
      checked(bodies.nothing, body);
      await view.sync();
      return {};
    },
  },
  {
    method: "POST",
    path: "/leave",
    limitMs: serverLimitMs,
    json: async ({ view }, { body, caller }) => {
      checked(bodies.nothing, body);
      await view.leave(caller.text);
      return {};
    },
  },
  {
    method: "GET",
    path: "/log",
    stream: (context, call, open) =>
      streamLog(context, open, {
        count: wholeNumber(call.query, "lines", 0, logLinesMax) ?? 100,
        isFollowed: call.query.get("follow") === "1",
      }),
  },
  {
    method: "GET",
    path: "/doctor",
    limitMs: doctorLimitMs,
    json: async ({ view }, { signal }): Promise<DoctorReport> => ({
      checks: await view.doctor(signal),
    }),
  },
  { method: "GET", path: "/metrics", text: ({ view }) => view.metrics() },
];

/** The route for a path below the version, with what stands for `*`; undefined if there is none. */
export function findRoute(
  method: string | undefined,
  path: string,
): { readonly route: Route; readonly name: string } | undefined {
  const parts = path.split("/");
  for (const route of routes) {
    if (route.method !== method) continue;
    const wanted = route.path.split("/");
    if (wanted.length !== parts.length) continue;
    if (!wanted.every((part, at) => part === "*" || part === parts[at])) continue;
    const at = wanted.indexOf("*");
    return { route, name: at < 0 ? "" : decoded(parts[at]) };
  }
  return undefined;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    throw new BackstayError("DAEMON_REQUEST", { problem: "the path is not well formed" }, error);
  }
}

function sessionQuery(query: URLSearchParams): SessionQuery {
  const policy = query.get("policy");
  const beforeId = query.get("before");
  return {
    ...(policy === null ? {} : { policy }),
    ...(beforeId === null ? {} : { beforeId }),
    limit: wholeNumber(query, "limit", 1, sessionsMax) ?? 100,
  };
}

function wholeNumber(
  query: URLSearchParams,
  name: string,
  least: number,
  most: number,
): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < least || value > most)
    throw new BackstayError("DAEMON_REQUEST", {
      problem: `${name} must be a whole number from ${least} to ${most}`,
    });
  return value;
}

function found<T>(value: T | undefined, otherwise: BackstayError): T {
  if (value === undefined) throw otherwise;
  return value;
}
