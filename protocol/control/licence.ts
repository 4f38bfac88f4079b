/** The licence of a whole installation: what its issuer allows, signed by the issuer's key. */
import { z } from "zod";

const machines = z.int().min(0).max(100_000_000);

export const licenceDocument = z.object({
  type: z.literal("licence"),
  id: z.string().min(1).max(100),
  /** Who may use it; for people. */
  holder: z.string().min(1).max(200),
  /** Most machines of each kind in the whole installation; absent: any number. */
  machines: z.object({ workstation: machines.optional(), server: machines.optional() }),
  /** Absent: without end. Ms since 1970. */
  validUntilMs: z.number().optional(),
  /** So long after the end everything goes on as before, days. */
  graceDays: z.int().min(0).max(3650).default(30),
  issuedMs: z.number(),
});
export type LicenceDocument = z.output<typeof licenceDocument>;
