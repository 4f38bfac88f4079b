/** Who names a secret: what may not be removed while anybody does. */
import { secretOfRoute } from "../../protocol/control/repository-route.ts";
import type { PolicyDocument } from "../../protocol/policy/policy.ts";
import { policy } from "../../protocol/policy/policy.ts";
import { secretReferences } from "../../protocol/policy/secret-references.ts";
import type { Queries } from "../ground/server-ground.ts";
import { usableRoutes } from "./retiring-routes.ts";

/** The name of a policy or repository that uses the secret, if there is one. */
export async function secretUse(
  queries: Queries,
  tenantId: string,
  name: string,
): Promise<Record<string, string> | undefined> {
  const policies = await queries
    .selectFrom("policies")
    .select(["name", "document", "previous_document"])
    .where("tenant_id", "=", tenantId)
    .execute();
  for (const row of policies)
    for (const document of [row.document, row.previous_document])
      if (document !== null && secretsOfDocument(document).includes(name))
        return { policy: row.name };
  const repositories = await queries
    .selectFrom("repositories")
    .select(["name", "routes", "retiring"])
    .where("tenant_id", "=", tenantId)
    .execute();
  const user = repositories.find((row) =>
    usableRoutes(row).some((route) => secretOfRoute(route) === name),
  );
  return user === undefined ? undefined : { repository: user.name };
}

function secretsOfDocument(document: string): string[] {
  return secretReferences(policy.parse(JSON.parse(document) as PolicyDocument));
}
