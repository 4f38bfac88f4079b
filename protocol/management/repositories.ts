/** Repositories, secrets and signing keys in the management API. */
import { z } from "zod";
import { destinationDocument } from "../control/bundle.ts";
import { rawKey } from "../control/enrolment.ts";
import { repositoryRoute, retiringRoute } from "../control/repository-route.ts";
import { repositoryModes } from "../control/repository-state.ts";
import { policyName } from "../policy/scalars.ts";
import { moment, ownerTenant, resourceId, tenantResource } from "./resource.ts";

export const repositoryQuotas = z
  .strictObject({
    storedBytesMax: z.int().min(0).optional(),
    storedBytesWarn: z.int().min(0).optional(),
  })
  .describe("For each machine at the gateway; what is absent has no limit.");

/** A route that was replaced. */
const retiringRouteAnswer = z.object({
  ...retiringRoute.shape,
  unconfirmed: z.int().describe("Active machines that have not said yet that they go by another."),
});

export const repositoryAnswer = z.object({
  ...tenantResource.shape,
  name: z.string(),
  routes: z
    .array(repositoryRoute)
    .readonly()
    .describe("In the order in which they are tried; none of a pool."),
  members: z
    .array(z.string())
    .readonly()
    .describe(
      "Of a pool: the repositories that it consists of. Each machine stores in one of them.",
    ),
  modes: repositoryModes,
  standNumber: z.int().describe("Rises with each change of the modes."),
  machines: z.int().describe("Active machines that store there, now or before."),
  pending: z
    .int()
    .describe(
      "Those of them that still run sessions there, or have not said that they obey the modes.",
    ),
  retiring: z
    .array(retiringRouteAnswer)
    .readonly()
    .describe("Routes that were replaced, and stay usable until every machine has confirmed."),
  quotas: repositoryQuotas,
  epoch: z.int().describe("Of the newest destination, signed or waiting."),
  isUsable: z
    .boolean()
    .describe("False before the first signature: its policies reach no machine."),
  unsigned: destinationDocument
    .nullable()
    .describe(
      "What awaits the signature of the holder of the destination key, if that is kept offline.",
    ),
});
export type RepositoryAnswer = z.output<typeof repositoryAnswer>;

export const repositorySignatureBody = z.strictObject({
  jws: z
    .string()
    .min(1)
    .max(100_000)
    .describe("Compact JWS over what waits, by the destination key."),
});

export const secretBody = z.strictObject({
  ...ownerTenant.shape,
  name: policyName,
  value: z.string().min(1).max(100_000),
  encoding: z.enum(["text", "base64"]).default("text").describe("How the value is written here."),
});

export const secretAnswer = z.object({
  ...tenantResource.shape,
  name: z.string(),
  hasPrevious: z
    .boolean()
    .describe("Machines still get the value before, as passwords are changed."),
});
export type SecretAnswer = z.output<typeof secretAnswer>;

export const signingKeyAnswer = z.object({
  id: resourceId,
  role: z.enum(["root", "policy", "destination"]),
  publicKey: z.string(),
  state: z.enum(["active", "retired"]),
  isOffline: z.boolean().describe("The private half is not on the server."),
  createdMs: moment,
});
export type SigningKeyAnswer = z.output<typeof signingKeyAnswer>;

export const newSigningKeyBody = z.strictObject({
  role: z.enum(["policy", "destination"]),
  publicKey: rawKey
    .optional()
    .describe(
      "Only for role destination: the key was made elsewhere, and its private half stays there.",
    ),
});
