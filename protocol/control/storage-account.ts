/** Accounts of a storage that a server makes for one machine. */
import { z } from "zod";

export const storageAccountQuery = z.object({
  repository: z.string().min(1).max(100).describe("Id of the repository."),
  address: z
    .string()
    .min(1)
    .max(2000)
    .describe("Of one of its issued routes, `{tenant}` and `{agent}` filled in."),
  /** The storage has refused the last one: another is wanted, whatever its life. */
  refused: z.literal("yes").optional(),
});
export type StorageAccountQuery = z.output<typeof storageAccountQuery>;

/** What is sealed in an answer. */
export const storageAccountContent = z.object({
  repositoryId: z.string(),
  address: z.string(),
  /** Under restic's names, as in the secret of a static account. */
  settings: z.record(z.string(), z.string()),
  /** By the server's clock, ms since 1970. */
  issuedMs: z.number(),
  expiresMs: z.number(),
});
export type StorageAccountContent = z.output<typeof storageAccountContent>;

export const storageAccountAnswer = z.object({
  /** Compact JWE (ECDH-ES, A256GCM) of StorageAccountContent to the agent's sealing key. */
  account: z.string().max(100_000),
});
