/**
 * Whether a repository takes part: an administrator may put it into maintenance (nothing goes in or out once sessions that
 * run there have ended) or seal it (read only). Machines are told in their bundle, and by a signed document that lies in
 * the storage itself; the newer of both counts.
 */
import { z } from "zod";

export const repositoryModes = z
  .array(z.enum(["maintenance", "sealed"]))
  .max(2)
  .readonly()
  .describe("Maintenance: nothing goes in or out. Sealed: read only. Of both, maintenance counts.");
export type RepositoryModes = z.output<typeof repositoryModes>;

/** What was decided last. */
export const repositoryStand = z.object({
  modes: repositoryModes,
  /** Rises with each decision: max(previous + 1, seconds since 1970). */
  number: z.int().min(1).max(999_999_999_999),
});
export type RepositoryStand = z.output<typeof repositoryStand>;

/** A stand that a session has obeyed, and who told it. */
export interface ObeyedStand extends RepositoryStand {
  readonly source: "server" | "storage";
}

/** Payload of what lies in the storage, signed by a policy key. */
export const repositoryStateDocument = z.object({
  type: z.literal("repository-state"),
  tenantId: z.string(),
  repositoryId: z.string(),
  ...repositoryStand.shape,
  issuedMs: z.number(),
});
export type RepositoryStateDocument = z.output<typeof repositoryStateDocument>;

/** What follows from the modes: maintenance wins. */
export function stateOf(modes: RepositoryModes): "active" | "maintenance" | "sealed" {
  if (modes.includes("maintenance")) return "maintenance";
  return modes.includes("sealed") ? "sealed" : "active";
}

const prefix = "repository-state.";
const digits = 12;

/** Name of the object of type `backstay` that holds the document: each is written once, the highest counts. */
export function stateObjectName(number: number): string {
  return `${prefix}${String(number).padStart(digits, "0")}`;
}

/** The number in the name of such an object; undefined for any other. */
export function numberOfStateObject(name: string): number | undefined {
  const text = name.startsWith(prefix) ? name.slice(prefix.length) : "";
  return /^\d{12}$/.test(text) ? Number(text) : undefined;
}
