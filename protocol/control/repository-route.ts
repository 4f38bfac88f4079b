/** A way to a repository as people give it to the management server. */
import { z } from "zod";
import { policyName } from "../policy/scalars.ts";
import { tlsPin } from "./enrolment.ts";

export const repositoryRoute = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("gateway"),
    url: z
      .url({ protocol: /^https?$/ })
      .max(2000)
      .optional()
      .describe("Address of a gateway; the server's own if absent."),
    pins: z.array(tlsPin).max(10).optional(),
  }),
  z.strictObject({
    kind: z.literal("direct"),
    url: z
      .string()
      .min(1)
      .max(2000)
      .refine(
        (address) => !/\/\/[^/@]*:[^/@]*@/.test(address),
        "must not hold a password: name a secret",
      )
      .describe("As --repo takes it; {tenant} and {agent} stand for the ids of the reader."),
    secret: policyName.optional().describe("Secret with the account for the storage."),
  }),
]);
export type RepositoryRoute = z.output<typeof repositoryRoute>;
