/** Routes about the server itself: whether it lives, whether it works, its figures, and what it understands. */
import { sql } from "kysely";
import type { Registry } from "prom-client";
import { z } from "zod";
import { programVersion } from "../../protocol/program-version.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import type { App } from "../http/http-app.ts";
import { Problem } from "../http/problem.ts";

const open = { config: { access: { kind: "public" } } } as const;
const tags = ["server"];

export interface ServerRoutesParts {
  readonly ground: ServerGround;
  readonly metrics: Registry;
}

export function serverRoutes(app: App, { ground, metrics }: ServerRoutesParts): void {
  app.get(
    "/healthz",
    {
      ...open,
      schema: {
        tags,
        summary: "Tells that the process lives.",
        response: { 200: z.object({ status: z.literal("alive"), version: z.string() }) },
      },
    },
    async () => ({ status: "alive" as const, version: programVersion }),
  );
  app.get(
    "/readyz",
    {
      ...open,
      schema: {
        tags,
        summary: "Tells whether it can work: its database answers, and it is not about to stop.",
        response: { 200: z.object({ status: z.literal("ready") }) },
      },
    },
    async () => {
      if (ground.signal.aborted) throw notReady("stopping", "The server is about to stop.");
      await sql`SELECT 1`.execute(ground.database).catch((error: unknown) => {
        throw notReady("database-unreachable", "The server can't reach its database.", error);
      });
      return { status: "ready" as const };
    },
  );
  app.get(
    "/metrics",
    {
      config: { access: { kind: "token", role: "read-only", scope: "all" } },
      schema: { tags, summary: "Figures for Prometheus.", response: { 200: z.string() } },
    },
    async (_request, reply) =>
      await reply
        .type(metrics.contentType)
        .serializer((text: unknown) => String(text))
        .send(await metrics.metrics()),
  );
  app.get("/openapi.json", { ...open, schema: { hide: true } }, async () => app.swagger());
}

function notReady(code: string, title: string, cause?: unknown): Problem {
  return new Problem({ status: 503, code, title, headers: { "retry-after": "5" } }, cause);
}
