/** The server's routes on a test ground, without a listener: two tenants, and tokens of every kind. */
import { Registry } from "prom-client";
import { gatewayRoutes } from "../../server/gateway/gateway-routes.ts";
import type { ServerSettings } from "../../server/ground/server-ground.ts";
import { type App, makeHttpApp } from "../../server/http/http-app.ts";
import {
  collectRoutes,
  type DeclaredRoute,
  type Role,
  roles,
} from "../../server/http/route-access.ts";
import { describeApi } from "../../server/serve/api-description.ts";
import { makeRooms, type Rooms, registerRoutes } from "../../server/serve/rooms.ts";
import { serverRoutes } from "../../server/serve/server-routes.ts";
import { makeTestGround, type TestGround } from "./test-ground.ts";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface AskOptions {
  /** Text of an API token. */
  readonly token?: string | undefined;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** Parsed, or empty if it is no JSON. */
  readonly body: Readonly<Record<string, never>>;
}

export interface ManagementScene {
  readonly ground: TestGround;
  readonly app: App;
  readonly rooms: Rooms;
  readonly routes: readonly DeclaredRoute[];
  /** Token texts: of a role for one tenant, or for all (`*`). */
  token(tenant: "a" | "b" | "*", role: Role): string;
  readonly tenantIds: Readonly<Record<"a" | "b", string>>;
  ask(method: Method, url: string, options?: AskOptions): Promise<Answered>;
  close(): Promise<void>;
}

/** Opens the scene on the database at `address`. */
export async function openManagementScene(
  address: string,
  settings: Partial<ServerSettings> = {},
): Promise<ManagementScene> {
  const ground = await makeTestGround(address, settings);
  const rooms = await makeRooms(ground);
  const app = makeHttpApp({ log: ground.log, trustedProxies: [] });
  const routes = collectRoutes(app);
  const metrics = new Registry();
  await describeApi(app);
  serverRoutes(app, { ground, metrics });
  await registerRoutes(app, rooms);
  await gatewayRoutes(app, { ground, metrics });
  await app.ready();
  const tenantIds = { a: "", b: "" };
  for (const name of ["a", "b"] as const) {
    const settings = { name: `tenant-${name}`, quotas: {}, leaseUntilMs: null, recoveryKey: null };
    tenantIds[name] = (await rooms.tenants.create("test", settings)).id;
  }
  const texts = new Map<string, string>();
  for (const tenant of ["a", "b", "*"] as const)
    for (const role of roles) {
      const tenantId = tenant === "*" ? null : tenantIds[tenant];
      const wanted = { name: `${tenant} ${role}`, tenantId, role, expiresMs: null };
      const { text } = await rooms.tokens.make(ground.database, "test", wanted);
      texts.set(`${tenant} ${role}`, text);
    }
  return {
    ground,
    app,
    rooms,
    routes,
    tenantIds,
    token: (tenant, role) => texts.get(`${tenant} ${role}`) ?? "",
    ask: async (method, url, { token, body, headers } = {}) => {
      const answer = await app.inject({
        method,
        url,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { payload: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      return {
        status: answer.statusCode,
        headers: answer.headers,
        text: answer.body,
        body: parsed(answer.body),
      };
    },
    close: async () => {
      await app.close();
      await ground.close();
    },
  };
}

function parsed(text: string): Record<string, never> {
  try {
    return JSON.parse(text) as Record<string, never>;
  } catch {
    return {};
  }
}
