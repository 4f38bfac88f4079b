/** What was found out about the places of a repository, in the management API. */
import { z } from "zod";
import { repositoryRoute } from "../control/repository-route.ts";
import { moment, ownerTenant } from "./resource.ts";

const finding = z.object({
  check: z
    .string()
    .describe("What was looked at: reach, clock, account-kind, list, write, read, …"),
  verdict: z
    .enum(["good", "warning", "bad", "unknown"])
    .describe("bad: backups or restores would fail, or be lost."),
  found: z.string(),
  remedy: z.string().optional().describe("What to do about it; there for all but good."),
});

export const testedPlace = z.object({
  route: z.enum(["gateway", "direct"]),
  place: z.string().describe("Its address, without secrets."),
  findings: z.array(finding).readonly(),
});
export type TestedPlace = z.output<typeof testedPlace>;

export const placeTestAnswer = z.object({
  testedMs: moment.nullable().describe("Null: it was never tested."),
  places: z.array(testedPlace).readonly(),
});
export type PlaceTestAnswer = z.output<typeof placeTestAnswer>;

export const newPlaceTestBody = z.strictObject({
  ...ownerTenant.shape,
  routes: z.array(repositoryRoute).min(1).max(20),
});
