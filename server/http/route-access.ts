/**
 * What a route needs of who asks. Every route declares it in its `config`; one that does not keeps the server from
 * starting. Also what else a route says of itself to the hooks that stand before it.
 */
import type { FastifyInstance } from "fastify";

/** From the least to the most. */
export const roles = ["read-only", "operator", "admin"] as const;
export type Role = (typeof roles)[number];

export type RouteAccess =
  /** Anybody. */
  | { readonly kind: "public" }
  /** A request signed by an enrolled agent, or one that brings its own key to be enrolled. */
  | { readonly kind: "agent" }
  /** The account of a machine at the gateway. */
  | { readonly kind: "gateway" }
  /**
   * An API token of at least this role. `scope` tenant: one tenant's token will do, and sees that tenant only; all: only
   * a token for every tenant.
   */
  | { readonly kind: "token"; readonly role: Role; readonly scope: "tenant" | "all" };

declare module "fastify" {
  interface FastifyContextConfig {
    access?: RouteAccess;
    /** The answer is held until something happens; such requests do not count as load. */
    isHeld?: boolean;
    /** The handler reads the body as it comes, and minds how long that takes. */
    streamsBody?: boolean;
  }
}

export interface DeclaredRoute {
  readonly method: string;
  /** As in `/api/v1/tenants/:id`. */
  readonly url: string;
  readonly access: RouteAccess;
}

/** From now on each new route must declare its access; the list grows with them. */
export function collectRoutes(app: FastifyInstance): readonly DeclaredRoute[] {
  const routes: DeclaredRoute[] = [];
  app.addHook("onRoute", ({ method, url, config }) => {
    const access = config?.access;
    if (access === undefined)
      throw new Error(`the route ${String(method)} ${url} declares no access`);
    for (const one of [method].flat()) routes.push({ method: one, url, access });
  });
  return routes;
}
