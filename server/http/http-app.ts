/** The HTTP server without its routes: what is true of every request and of every answer, whichever room gives it. */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from "fastify";
import {
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";
import type { ServerLog } from "../ground/server-ground.ts";
import { readJsonBodies } from "./json-body.ts";
import { Problem, problemMediaType, problemText } from "./problem.ts";
import { problemOf } from "./problem-of-error.ts";

/** What rooms register their routes on: schemas are zod's. */
export type App = FastifyInstance<
  Server,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export interface HttpAppOptions {
  readonly log: ServerLog;
  /** CIDR blocks of proxies whose `x-forwarded-for` is believed. */
  readonly trustedProxies: readonly string[];
  /** Makes the listener that requests come through; plain HTTP if absent. */
  readonly makeServer?: (
    handler: (request: IncomingMessage, response: ServerResponse) => void,
  ) => Server;
}

const bodyBytesMax = 2 ** 20;
const parameterCharactersMax = 256;
/** So long a body may take to arrive, unless its route streams it. */
const bodyMs = 60_000;
/** A connection on which nothing moves is closed; longer than any held request. */
const silenceMs = 150_000;
/** Longer than load balancers keep theirs, so that they never send into a connection that is just being closed. */
const keepAliveMs = 75_000;
const headersMs = 30_000;

/** An app without routes. */
export function makeHttpApp({ log, trustedProxies, makeServer }: HttpAppOptions): App {
  const app: App = fastify({
    logger: false,
    trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
    bodyLimit: bodyBytesMax,
    exposeHeadRoutes: false,
    forceCloseConnections: "idle",
    return503OnClosing: false,
    routerOptions: { maxParamLength: parameterCharactersMax },
    genReqId: (request) => requestIdOf(request),
    frameworkErrors: (error, request, reply) => answerError(log, error, request, reply),
    clientErrorHandler: (error, socket) => answerBrokenRequest(error, socket),
    ...(makeServer !== undefined && { serverFactory: makeServer }),
  }).withTypeProvider<ZodTypeProvider>();
  app.server.keepAliveTimeout = keepAliveMs;
  app.server.headersTimeout = headersMs;
  // Packs of a slow machine take long; limitBodyTime minds all others.
  app.server.requestTimeout = 0;
  app.server.setTimeout(silenceMs);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  readJsonBodies(app);
  app.setErrorHandler((error, request, reply) => answerError(log, error, request, reply));
  app.setNotFoundHandler(() => {
    throw new Problem({ status: 404, code: "not-found", title: "There is no such address here." });
  });
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    reply.header("x-content-type-options", "nosniff");
    reply.header("cache-control", "no-store");
    if (/%00/.test(request.url)) throw badAddress();
  });
  limitBodyTime(app);
  return app;
}

/** A body that only trickles in does not hold a request for ever. */
function limitBodyTime(app: App): void {
  const timers = new WeakMap<FastifyRequest, NodeJS.Timeout>();
  app.addHook("preParsing", async (request) => {
    if (request.routeOptions.config.streamsBody === true) return;
    const timer = setTimeout(() => request.raw.destroy(), bodyMs);
    timers.set(request, timer);
    request.raw.once("close", () => clearTimeout(timer));
  });
  app.addHook("preValidation", async (request) => clearTimeout(timers.get(request)));
}

function answerError(
  log: ServerLog,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const problem = problemOf(error);
  const { status, code, headers } = problem.parts;
  // The address as declared, not as asked: that one may hold anything.
  const route = request.routeOptions.url ?? "none";
  const about = { code, status, route, method: request.method, request: request.id };
  if (status === 500) log.failure("A request failed.", error, about);
  else if (status === 503) log.debug("A request was put off.", about);
  void reply
    .status(status)
    .headers(headers ?? {})
    .type(problemMediaType)
    .serializer((text: unknown) => String(text))
    .send(problemText(problem, request.id));
}

/** What is not HTTP, or too large to be it. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    error.code === "HPE_HEADER_OVERFLOW"
      ? 431
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? 408
        : 400;
  const problem = new Problem({
    status,
    code: "request-malformed",
    title: "This is no HTTP request that the server can read.",
  });
  const text = problemText(problem, "none");
  socket.end(
    `HTTP/1.1 ${status} Bad Request\r\ncontent-type: ${problemMediaType}\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
}

function badAddress(): Problem {
  return new Problem({
    status: 400,
    code: "body-invalid",
    title: "The request is not as it must be.",
    detail: "Its address holds a NUL character.",
  });
}

/** That of a proxy in front of us, if it looks like one. */
function requestIdOf(request: IncomingMessage): string {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && /^[\w-]{8,64}$/.test(given)
    ? given
    : randomBytes(9).toString("base64url");
}
