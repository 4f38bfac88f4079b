/** A way to a repository as people give it to the management server. */
import { z } from "zod";
import { policyName, storageClassName } from "../policy/scalars.ts";
import { tlsPin } from "./enrolment.ts";
import { issuerObjection, storageIssuer } from "./storage-issuer.ts";

const isWithoutPassword = (address: string): boolean => !/\/\/[^/@]*:[^/@]*@/.test(address);
const passwordObjection = "must not hold a password: name a secret";

/** What a gateway keeps the files of a repository in. */
export const gatewayStorage = z
  .strictObject({
    url: z
      .string()
      .max(2000)
      .regex(/^(?:s3|azure|gs):./, "must be s3:, azure: or gs:")
      .refine(isWithoutPassword, passwordObjection)
      .describe("As --repo takes it; the gateway adds tenant, repository and machine."),
    secret: policyName.optional().describe("Secret with the account for the storage."),
    mayLock: z
      .boolean()
      .optional()
      .describe(
        "Machines may lock what they store against removal: for policies with immutability.",
      ),
    storageClass: storageClassName
      .optional()
      .describe(
        "Of new packs, in the storage's own word (STANDARD_IA, Cool, NEARLINE); it must be one that can be read at once.",
      ),
  })
  .describe("What the gateway keeps the files in; absent: its folder. Machines never see it.");

export const repositoryRoute = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("gateway"),
    url: z
      .url({ protocol: /^https?$/ })
      .max(2000)
      .optional()
      .describe("Address of a gateway; the server's own if absent."),
    pins: z.array(tlsPin).max(10).optional(),
    storage: gatewayStorage.optional(),
  }),
  z
    .strictObject({
      kind: z.literal("direct"),
      url: z
        .string()
        .min(1)
        .max(2000)
        .refine(isWithoutPassword, passwordObjection)
        .describe("As --repo takes it; {tenant} and {agent} stand for the ids of the reader."),
      secret: policyName
        .optional()
        .describe("Secret with the account for the storage; with an issuer the server's own."),
      issuer: storageIssuer
        .optional()
        .describe("The server makes accounts that end, and keeps its own to itself."),
    })
    .superRefine(({ url, issuer, secret }, context) => {
      const message = issuer && issuerObjection(url, issuer, secret);
      if (message !== undefined) context.addIssue({ code: "custom", path: ["issuer"], message });
    }),
]);
export type RepositoryRoute = z.output<typeof repositoryRoute>;

/** What a gateway keeps files in. */
export type GatewayStorage = z.output<typeof gatewayStorage>;

/** What the gateway keeps the files of a repository with these routes in; undefined: its folder. */
export function storageOfRoutes(routes: readonly RepositoryRoute[]): GatewayStorage | undefined {
  return routes.find((route) => route.kind === "gateway")?.storage;
}

/** Name of the secret with the account for a route's place, if it has one. */
export function secretOfRoute(route: RepositoryRoute): string | undefined {
  return route.kind === "direct" ? route.secret : route.storage?.secret;
}

/** A way that was replaced, and stays usable until every machine goes by what replaced it. */
export const retiringRoute = z.object({
  route: repositoryRoute,
  epoch: z
    .int()
    .describe("Of the destination without it: who obeys that, or a later one, is done."),
  sinceMs: z.number(),
});
export type RetiringRoute = z.output<typeof retiringRoute>;
