/** What was decided about a repository (repository-stand.ts), as documents and bodies have it. */
import { z } from "zod";
import type { RepositoryModes, RepositoryStand } from "./repository-stand.ts";

export const repositoryModes = z
  .array(z.enum(["maintenance", "sealed"]))
  .max(2)
  .readonly()
  .describe(
    "Maintenance: nothing goes in or out. Sealed: read only. Of both, maintenance counts.",
  ) satisfies z.ZodType<RepositoryModes>;

export const repositoryStand = z.object({
  modes: repositoryModes,
  number: z.int().min(1).max(999_999_999_999),
}) satisfies z.ZodType<RepositoryStand>;

/** Payload of what lies in the storage, signed by a policy key. */
export const repositoryStateDocument = z.object({
  type: z.literal("repository-state"),
  tenantId: z.string(),
  repositoryId: z.string(),
  ...repositoryStand.shape,
  issuedMs: z.number(),
});
export type RepositoryStateDocument = z.output<typeof repositoryStateDocument>;
