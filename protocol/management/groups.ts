/** Protection groups in the management API. */
import { z } from "zod";
import { displayName, labels, ownerTenant, resourceId, tenantResource } from "./resource.ts";

export const groupSelector = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("static") }).describe("People put machines in."),
  z
    .strictObject({ kind: z.literal("labels"), labels })
    .describe("Machines with all these labels; the value * stands for any."),
  z
    .strictObject({
      kind: z.literal("names"),
      names: z.array(z.string().min(1).max(255)).max(100_000).readonly(),
    })
    .describe("Machines of these names; without a dot, the first part of longer names too."),
]);

export const groupBody = z.strictObject({
  name: displayName,
  selector: groupSelector,
  agentIds: z
    .array(resourceId)
    .max(10_000)
    .optional()
    .describe(
      "Only with selector static: these machines and no others. Absent: those that are in.",
    ),
});
export const newGroupBody = z.strictObject({ ...ownerTenant.shape, ...groupBody.shape });

export const selectorPreviewBody = z.strictObject({
  ...ownerTenant.shape,
  selector: groupSelector,
});

export const groupAnswer = z.object({
  ...tenantResource.shape,
  name: z.string(),
  selector: groupSelector,
});
export type GroupAnswer = z.output<typeof groupAnswer>;

export const groupMember = z.object({ id: resourceId, name: z.string() });
export type GroupMemberAnswer = z.output<typeof groupMember>;

export const groupMembersBody = z.strictObject({
  agentIds: z.array(resourceId).min(1).max(1000),
});
