/**
 * How a server makes accounts of a storage that end: one for each machine, good for its own place only. The server's own
 * account stays on the server.
 */
import { z } from "zod";

/** Seconds that an account lives: what all storages take. */
const durationSeconds = z
  .int()
  .min(900)
  .max(43_200)
  .default(3600)
  .describe("How long an account of a machine is good, seconds.");

const mayLock = z
  .boolean()
  .optional()
  .describe("Machines may lock what they store against removal: for policies with immutability.");

export const storageIssuer = z.discriminatedUnion("kind", [
  z
    .strictObject({
      kind: z.literal("s3-sts"),
      roleArn: z
        .string()
        .regex(/^arn:[a-z0-9-]+:iam:[^:\s]*:[^:\s]*:role\/[^\s]+$/)
        .max(2000)
        .optional()
        .describe(
          "Role that the server's account takes; servers other than Amazon's may need none.",
        ),
      endpoint: z
        .url({ protocol: /^https?$/ })
        .max(2000)
        .optional()
        .describe("Of the STS; Amazon's for the region if absent."),
      region: z
        .string()
        .regex(/^[a-z0-9-]{1,50}$/)
        .optional(),
      mayLock,
      durationSeconds,
    })
    .describe("AssumeRole of Amazon or of a server that knows it, with a policy for the prefix."),
  z
    .strictObject({
      kind: z.literal("azure-sas"),
      hierarchical: z
        .boolean()
        .default(false)
        .describe(
          "The account has a hierarchical namespace: machines get a directory, else each a container.",
        ),
      mayLock,
      durationSeconds,
    })
    .describe("Shared access signatures, by an Entra identity if the server's account is one."),
  z
    .strictObject({ kind: z.literal("google-downscoped") })
    .describe(
      "A token that is bound to the prefix; it lives as long as the server's, an hour at most.",
    ),
]);
export type StorageIssuer = z.output<typeof storageIssuer>;

/** Which part of an address says whose it is: it alone tells the place of one machine from another's. */
const addresses = {
  "s3-sts": {
    form: /^s3:(?:https?:)?(?:\/\/)?[^/{}]+\/[^/]+\/(?<own>.+)$/,
    words: "s3:HOST/BUCKET/PREFIX with {agent} in the prefix",
  },
  container: {
    form: /^azure:(?<own>[^:/]+):\/.*$/,
    words: "azure:CONTAINER:/PREFIX with {agent} in the container's name",
  },
  directory: {
    form: /^azure:[^:/]+:\/(?<own>.+)$/,
    words: "azure:CONTAINER:/PREFIX with {agent} in the prefix",
  },
  "google-downscoped": {
    form: /^gs:[^:/]+:\/(?<own>.+)$/,
    words: "gs:BUCKET:/PREFIX with {agent} in the prefix",
  },
} as const;

/** What stands in a permission as it is: nothing that is a wildcard or ends a word there. */
const plain = /^[A-Za-z0-9:/._{}-]+$/;

/** Why accounts for this address can't be made, for people; undefined if they can. */
export function issuerObjection(
  url: string,
  issuer: StorageIssuer,
  secret: string | undefined,
): string | undefined {
  if (secret === undefined) return "with an issuer it needs the secret with the server's account";
  const place =
    issuer.kind === "azure-sas" ? (issuer.hierarchical ? "directory" : "container") : issuer.kind;
  const { form, words } = addresses[place];
  const own = form.exec(url)?.groups?.["own"];
  if (own?.includes("{agent}") !== true) return `with this issuer the address is ${words}`;
  return plain.test(url)
    ? undefined
    : "with an issuer the address holds letters, digits and .-_/ only";
}
