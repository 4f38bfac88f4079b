/** Settings that the schema knows and this version can't carry out yet: they are refused, never ignored. */
import { repositoryScheme } from "../../protocol/control/bundle.ts";
import type { Policy } from "../../protocol/policy/policy.ts";
import type { Objection } from "../../protocol/policy/policy-mistake.ts";
import { retentionProblem, storageClassProblem } from "../../storage/storage-class.ts";
import { storeAddress, storeSchemes } from "../../storage/store-address.ts";

/**
 * Every setting of the policy that has no engine; none if the policy can be carried out as it is. Repositories of a
 * server are for policies of the server.
 */
export function unsupportedSettings(
  policy: Policy,
  origin: "machine" | "server" = "machine",
): Objection[] {
  const { source, destination, scripts } = policy;
  const { scheme } = storeAddress(destination.repository);
  const found: Objection[] = [];
  const refuse = (condition: boolean, path: Objection["path"], problem: string): void => {
    if (condition) found.push({ path, problem });
  };
  refuse(
    source.mode !== "files",
    ["source", "mode"],
    `${source.mode} is not possible yet: only files are`,
  );
  const isOfServer = origin === "server";
  refuse(
    !isOfServer && destination.repository.startsWith(repositoryScheme),
    ["destination", "repository"],
    "is a repository of a management server, which only policies of the server can name",
  );
  refuse(
    !isOfServer &&
      !destination.repository.startsWith(repositoryScheme) &&
      !storeSchemes.includes(scheme),
    ["destination", "repository"],
    `is storage of the kind ${scheme}, which is not possible yet: only ${storeSchemes.join(", ")} is`,
  );
  for (const [index, route] of (destination.routes ?? []).entries())
    refuse(
      !isOfServer && route !== "direct",
      ["destination", "routes", index],
      `${route} is for repositories of a management server only`,
    );
  refuse(
    scheme === "local" && destination.credentials !== undefined,
    ["destination", "credentials"],
    "have no effect with a folder of this machine",
  );
  const { immutability, storageClass } = destination;
  const unlockable = immutability === undefined ? undefined : retentionProblem(scheme);
  refuse(unlockable !== undefined, ["destination", "immutability"], unlockable ?? "");
  const unclassed =
    storageClass === undefined ? undefined : storageClassProblem(scheme, storageClass);
  refuse(unclassed !== undefined, ["destination", "storageClass"], unclassed ?? "");
  refuse(policy.retention !== undefined, ["retention"], "is not possible yet: everything is kept");
  refuse(policy.backupCache.enabled, ["backupCache", "enabled"], "is not possible yet");
  refuse(
    policy.notifications.desktop,
    ["notifications", "desktop"],
    "is not possible yet: mail, webhook and ping are",
  );
  for (const name of ["preFreeze", "postThaw"] as const)
    refuse(
      scripts[name] !== undefined,
      ["scripts", name],
      "is not possible yet: there are no snapshots of volumes",
    );
  return found;
}
