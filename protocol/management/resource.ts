/**
 * What the things of the management API (`/api/v1`) have in common. Ids are UUIDs, moments ms since 1970. An answer with
 * one thing carries its `version` as ETag; PUT and DELETE name it in If-Match. Lists are `{ items, nextCursor }`.
 */
import { z } from "zod";

export const resourceId = z.string().min(1).max(100).describe("Id of the thing.");

/** Names that people choose freely: no control characters, no spaces at the ends. */
export const displayName = z
  .string()
  .regex(
    /^[^\p{C}\p{Z}](?:[^\p{C}]{0,98}[^\p{C}\p{Z}])?$/u,
    "must be 1 to 100 characters without control characters, and without spaces at its ends",
  );

export const labels = z
  .record(
    z.string().regex(/^[\w.:/-]{1,64}$/, "must be 1 to 64 letters, digits and . : / _ -"),
    z.string().max(256),
  )
  .refine((given) => Object.keys(given).length <= 64, "must be 64 labels at most");

export const moment = z
  .int()
  .min(0)
  .max(8_640_000_000_000_000)
  .describe("Milliseconds since 1970.");

/** A list of things. */
export function pageOf<Item extends z.ZodType>(
  item: Item,
): z.ZodObject<{ items: z.ZodArray<Item>; nextCursor: z.ZodNullable<z.ZodString> }> {
  return z.object({
    items: z.array(item),
    nextCursor: z.string().nullable().describe("For the next page; null: this is the last."),
  });
}

/** What each thing of a tenant has. */
export const tenantResource = z.object({
  id: resourceId,
  tenantId: resourceId,
  createdMs: moment,
  version: z.int().min(1),
});

/** In bodies that make something: whose it is. May be left out by a token of one tenant, and while there is only one. */
export const ownerTenant = z.object({ tenantId: resourceId.optional() });
