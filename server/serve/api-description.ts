/** The description of all routes as OpenAPI 3.1, made of their schemas. */
import { fastifySwagger } from "@fastify/swagger";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import { programVersion } from "../../protocol/program-version.ts";
import type { App } from "../http/http-app.ts";
import { problemMediaType } from "../http/problem.ts";
import type { RouteAccess } from "../http/route-access.ts";

/** Who may ask, in the words of OpenAPI; agents and the gateway have schemes of their own. */
const schemes: Readonly<Record<RouteAccess["kind"], string | undefined>> = {
  public: undefined,
  token: "apiToken",
  agent: "requestSignature",
  gateway: "gatewayAccount",
};

const methods = ["get", "put", "post", "delete", "patch", "head"] as const;
const problemReference = { $ref: "#/components/responses/Problem" };
const problem = {
  type: "object",
  required: ["type", "title", "status", "code", "requestId"],
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    code: { type: "string", description: "For programs; never renamed." },
    detail: { type: "string" },
    errors: {
      type: "array",
      items: {
        type: "object",
        required: ["path", "message"],
        properties: { path: { type: "string" }, message: { type: "string" } },
      },
    },
    requestId: { type: "string", description: "Finds the request in the server's log." },
  },
};

/** To be registered before the routes that it describes. */
export async function describeApi(app: App): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Backstay management server",
        version: programVersion,
        description: "Refusals are problem documents (RFC 9457). See docs/management-api.md.",
      },
      components: {
        securitySchemes: {
          apiToken: { type: "http", scheme: "bearer", description: "An API token, `bks_…`." },
          requestSignature: {
            type: "http",
            scheme: "Backstay",
            description: "Signature of the request by the agent's key.",
          },
          gatewayAccount: { type: "http", scheme: "basic", description: "A machine's account." },
        },
        responses: {
          Problem: {
            description: "A refusal.",
            content: { [problemMediaType]: { schema: problem as never } },
          },
        },
      },
    },
    transform: (route) => {
      const { schema, url } = jsonSchemaTransform(route);
      const access = route.route.config?.access;
      const scheme = access === undefined ? undefined : schemes[access.kind];
      return {
        url,
        schema: { ...schema, ...(scheme !== undefined && { security: [{ [scheme]: [] }] }) },
      };
    },
    transformObject: (description) => {
      const object = "openapiObject" in description ? description.openapiObject : {};
      for (const path of Object.values(object.paths ?? {}))
        for (const method of methods) {
          const operation = path?.[method];
          if (operation !== undefined)
            operation.responses = { ...operation.responses, default: problemReference };
        }
      return object;
    },
  });
}
