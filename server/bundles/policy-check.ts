/** Whether the server can take a policy: everything that a machine would object to is said to whoever writes it. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { repositoryScheme } from "../../protocol/control/bundle.ts";
import { type Policy, type PolicyDocument, policy } from "../../protocol/policy/policy.ts";
import { secretReferences } from "../../protocol/policy/secret-references.ts";
import { scheduleProblems } from "../../protocol/schedule/schedule-problems.ts";
import type { Queries } from "../ground/server-ground.ts";
import { missingSecrets } from "../ground/tenant-secret.ts";
import { membersOf } from "./pool-members.ts";
import { requireForMachines } from "./route-secrets.ts";
import { automaticSecret } from "./secrets.ts";

/** Far below what fits into a bundle with others. */
const documentCharactersMax = 200_000;

/**
 * The policy that a document says, and the document as it is kept. RESOURCE_INVALID with the place of the first mistake:
 * beside the rules of policies, a server's policy names its place as `backstay:<name of a repository>`, leaves accounts to
 * that repository's routes, and names only secrets that are there (or `automatic` as its password).
 */
export async function checkedPolicy(
  queries: Queries,
  tenantId: string,
  document: Readonly<Record<string, unknown>>,
): Promise<{ readonly policy: Policy; readonly document: string }> {
  const text = JSON.stringify(document);
  if (text.length > documentCharactersMax)
    throw invalid("document", `must be at most ${documentCharactersMax} characters`);
  const result = policy.safeParse(document);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw invalid(issue?.path.join(".") ?? "", issue?.message ?? "is not a policy");
  }
  const read = result.data;
  const [problem] = scheduleProblems(read.schedule);
  if (problem !== undefined) throw invalid(["schedule", ...problem.path].join("."), problem.text);
  await requireRepository(queries, tenantId, read);
  await requireSecrets(queries, tenantId, read);
  return { policy: read, document: text };
}

/** The name of the repository that a server's policy names; undefined for any other place. */
export function repositoryName({
  repository,
}: {
  readonly repository: string;
}): string | undefined {
  return repository.startsWith(repositoryScheme)
    ? repository.slice(repositoryScheme.length)
    : undefined;
}

const formerPasswordsMax = 10;

/**
 * Names of the secrets that were the password of a policy before, newest first: machines that were off while it changed
 * may still need them.
 */
export function formerPasswords(
  before: {
    readonly document: string;
    readonly previous_document: string | null;
    readonly former_passwords: string;
  },
  after: Policy,
): string[] {
  const texts = [before.document, before.previous_document].filter((text) => text !== null);
  const names = new Set([
    ...texts.map((text) => policy.parse(keptDocument(text)).encryption.password.secret),
    ...(JSON.parse(before.former_passwords) as string[]),
  ]);
  names.delete(after.encryption.password.secret);
  return [...names].slice(0, formerPasswordsMax);
}

/** A document that was checked before. */
export function keptDocument(text: string): PolicyDocument {
  return JSON.parse(text) as PolicyDocument;
}

async function requireRepository(
  queries: Queries,
  tenantId: string,
  { destination }: Policy,
): Promise<void> {
  const name = repositoryName(destination);
  if (name === undefined)
    throw invalid("destination.repository", `must be ${repositoryScheme}NAME of a repository`);
  if (destination.credentials !== undefined)
    throw invalid("destination.credentials", "belongs to the routes of the repository");
  const found = await queries
    .selectFrom("repositories")
    .select(["destination", "members"])
    .where("tenant_id", "=", tenantId)
    .where("name", "=", name)
    .executeTakeFirst();
  if (found === undefined)
    throw invalid("destination.repository", `names no repository of the tenant: ${name}`);
  if (found.destination === null && membersOf(found).length === 0)
    throw invalid(
      "destination.repository",
      `names a repository that awaits its signature: ${name}`,
    );
}

async function requireSecrets(queries: Queries, tenantId: string, read: Policy): Promise<void> {
  const isAutomatic = read.encryption.password.secret === automaticSecret;
  const [password, ...others] = secretReferences(read);
  const named = isAutomatic ? others : [password, ...others];
  const [missing] = await missingSecrets(queries, tenantId, named);
  if (missing !== undefined) throw invalid("secret", `names no secret of the tenant: ${missing}`);
  await requireForMachines(queries, tenantId, named);
}

function invalid(field: string, problem: string): BackstayError {
  return new BackstayError("RESOURCE_INVALID", { field, problem });
}
