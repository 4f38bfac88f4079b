/** Stands before every route that needs an API token, and knows of each request who asks. */
import type { FastifyRequest } from "fastify";
import type { App } from "../http/http-app.ts";
import { Problem } from "../http/problem.ts";
import { type ApiTokens, mayDo, type Principal } from "./api-tokens.ts";

const principals = new WeakMap<FastifyRequest, Principal>();

/** Lets only those through to the routes of `app` whose token is enough for what the route declares. */
export function authorise(app: App, tokens: ApiTokens): void {
  app.addHook("onRequest", async (request) => {
    const { access } = request.routeOptions.config;
    if (access?.kind !== "token") return;
    const text = /^Bearer ([\x21-\x7e]{1,200})$/i.exec(request.headers.authorization ?? "")?.[1];
    const principal = text === undefined ? undefined : await tokens.principalOf(text);
    if (principal === undefined) throw unauthenticated();
    const isEnough =
      mayDo(principal.role, access.role) && (access.scope === "tenant" || principal.scope === null);
    if (!isEnough) throw forbidden();
    principals.set(request, principal);
  });
}

/** Who asks, in a route that declares an access of kind `token`. */
export function principalOf(request: FastifyRequest): Principal {
  const principal = principals.get(request);
  if (principal === undefined) throw unauthenticated();
  return principal;
}

/** The same for a token that is unknown, revoked or expired: nothing is learned by trying. */
function unauthenticated(): Problem {
  return new Problem({
    status: 401,
    code: "unauthenticated",
    title: "This needs an API token that counts.",
    headers: { "www-authenticate": 'Bearer realm="backstay"' },
  });
}

function forbidden(): Problem {
  return new Problem({
    status: 403,
    code: "forbidden",
    title: "The token's role or tenant is not enough for this.",
  });
}
