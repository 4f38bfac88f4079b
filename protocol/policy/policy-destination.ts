/** Where a policy sends its backups. */
import { z } from "zod";
import { retentionModes } from "../immutability.ts";
import { routeKinds } from "../run-order.ts";
import { secretReference, storageClassName } from "./scalars.ts";

const repository = z
  .string()
  .regex(
    /^(?:(?:local:)?(?:\/|[a-z]:[\\/]|\\\\)|(?!local:)[a-z][a-z0-9+.-]+:)/i,
    "must be the absolute path of a folder, or an address such as s3:…",
  )
  .refine(
    (address) => !/\/\/[^/@]*:[^/@]*@/.test(address),
    "must not hold a password: name a secret in credentials",
  );

const immutability = z.strictObject({
  mode: z
    .enum(retentionModes)
    .describe(
      "governance: who has a special right at the storage may end a lock early; compliance: nobody.",
    ),
  days: z
    .int()
    .min(1)
    .max(36_500)
    .describe("Each restore point can't be removed for so many days, and up to ten more."),
});

export const destination = z.strictObject({
  repository: repository.describe("As --repo takes it: a folder, or s3:…, azure:…, gs:…, rest:…"),
  routes: z
    .array(z.enum(routeKinds))
    .min(1)
    .optional()
    .describe(
      "Which of the ways to a repository of a management server may be used, in the order that the repository has; all if absent.",
    ),
  credentials: secretReference.optional().describe("Account for the storage, if it needs one."),
  immutability: immutability
    .optional()
    .describe("Lock restore points in the storage: s3, azure and gs can, directly."),
  storageClass: storageClassName
    .optional()
    .describe(
      "Of new packs, in the storage's own word (STANDARD_IA, GLACIER_IR, Cool, NEARLINE); it must be one that can be read at once.",
    ),
  create: z
    .boolean()
    .default(true)
    .describe("Make the repository at the first run if there is none."),
  fileSystemId: z
    .string()
    .min(1)
    .optional()
    .describe("Id of the file system that a removable drive must have."),
});
