/** `backstay policy apply`: puts policies in force on this machine, all of those given or none. */
import { openSecretKeeper } from "../../platform/open-secret-keeper.ts";
import { stateDirectory } from "../../platform/standard-paths.ts";
import { secretReferences } from "../../protocol/policy/secret-references.ts";
import { effectiveChanges, type ValueChange } from "../policy/effective-changes.ts";
import { effectivePolicy } from "../policy/effective-policy.ts";
import { policyFingerprint } from "../policy/policy-fingerprint.ts";
import type { ReadPolicy } from "../policy/read-policies.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { reloadDaemon } from "./daemon-reload.ts";
import type { Environment } from "./environment.ts";
import { acceptedPolicies, givenPolicies } from "./policy-documents.ts";
import { noteProblems, openPolicyPlace, type PolicyPlace } from "./policy-place.ts";
import { shownValue } from "./policy-values.ts";

interface ApplyOptions {
  readonly dryRun?: boolean;
}

interface Application {
  readonly policy: ReadPolicy;
  readonly action: "create" | "change" | "keep";
  readonly changes: readonly ValueChange[];
}

const done = { create: "created", change: "changed", keep: "unchanged" };
const wouldBe = { create: "would be created", change: "would be changed", keep: "unchanged" };

export const policyApplyCommand: CliCommand<ApplyOptions> = {
  worksUnread: true,

  define(command) {
    command
      .argument("<files...>", "files of policies, YAML or JSON; `-` is standard input")
      .option("-n, --dry-run", "change nothing, only say what would change");
    addExamples(command, [
      "backstay policy apply documents.yaml",
      "backstay policy apply --dry-run policies/*.yaml",
      "ssh server cat policy.yaml | backstay policy apply -",
    ]);
  },

  async run({ operands, options, screen, globals, environment, signal }) {
    const place = await openPolicyPlace(environment);
    const policies = new Map(
      [...place.loaded.policies.values()].map(({ name, policy }) => [name, policy]),
    );
    const given = givenPolicies(operands, { rails: place.rails, policies });
    const applications = acceptedPolicies(screen, given, globals.json).map((policy) =>
      application(place, policy),
    );
    const missing = await missingSecrets(applications, environment);
    const isDry = options.dryRun === true;
    if (!isDry)
      for (const { policy, action } of applications)
        if (action !== "keep") await place.folder.write(policy.name, policy.text, signal);
    const isInForce = !isDry && (await reloadDaemon(environment, signal));
    if (globals.json) {
      screen.line(JSON.stringify(json(place, applications, isDry, isInForce, missing)));
      return exitCodes.done;
    }
    const replaced = new Set(applications.map(({ policy }) => place.folder.fileOf(policy.name)));
    noteProblems(
      screen,
      place.loaded.problems.filter(({ file }) => !replaced.has(file)),
    );
    for (const name of missing)
      screen.note(
        `warning: no secret ${name} is kept on this machine: run \`backstay secret set ${name}\``,
      );
    if (globals.quiet) return exitCodes.done;
    for (const { policy, action, changes } of applications) {
      const now = isInForce ? ", in force now" : "";
      screen.line(`${policy.name}: ${(isDry ? wouldBe : done)[action]}${now}`);
      if (action === "change")
        for (const { setting, before, after } of changes)
          screen.line(`  ${setting}: ${shownValue(before)} -> ${shownValue(after)}`);
    }
    return exitCodes.done;
  },
};

function application({ loaded, rails }: PolicyPlace, policy: ReadPolicy): Application {
  const before = loaded.policies.get(policy.name);
  if (before === undefined) return { policy, action: "create", changes: [] };
  const isSame = before.text === policy.text && !before.isLastGood;
  const changes = effectiveChanges(
    effectivePolicy(before.policy, before.document, rails).values,
    effectivePolicy(policy.policy, policy.document, rails).values,
  );
  return { policy, action: isSame ? "keep" : "change", changes };
}

/** The secrets that the policies name and this machine has not, in alphabetical order. */
async function missingSecrets(
  applications: readonly Application[],
  environment: Environment,
): Promise<string[]> {
  const keeper = await openSecretKeeper(stateDirectory(environment));
  const kept = await keeper.names();
  const named = applications.flatMap(({ policy }) => secretReferences(policy.policy));
  return [...new Set(named)].filter((name) => !kept.includes(name)).toSorted();
}

function json(
  place: PolicyPlace,
  applications: readonly Application[],
  isDry: boolean,
  isInForce: boolean,
  missing: readonly string[],
): object {
  return {
    message_type: "policies_applied",
    dry_run: isDry,
    in_force: isInForce,
    policies: applications.map(({ policy, action, changes }) => ({
      name: policy.name,
      action,
      file: place.folder.fileOf(policy.name),
      fingerprint: policyFingerprint(policy.policy),
      changes,
    })),
    missing_secrets: missing,
  };
}
