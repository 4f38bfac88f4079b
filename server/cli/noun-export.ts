/** `backstay-server export`: prints what the server has as documents for `apply`, without secrets. */
import { stringify } from "yaml";
import { BackstayError } from "../../protocol/backstay-error.ts";
import {
  briefly,
  type Declaration,
  type DeclarationKind,
  declarationKinds,
} from "./declarations.ts";
import { FleetReader } from "./fleet-reader.ts";
import { listOf } from "./option-values.ts";
import { addTenantOption, tenantIdOf } from "./resource-verbs.ts";
import { collect, type Verb, type VerbCall } from "./verb.ts";

export const exportVerb: Verb = {
  name: "export",
  summary: "print what the server has as YAML for `apply`, without secrets",
  examples: [
    "backstay-server export > fleet.yaml",
    "backstay-server export --tenant acme --kind policy --kind group",
  ],
  define: (command) => {
    command.option("--kind <kind>", `${declarationKinds.join(", ")}; repeatable`, collect);
    addTenantOption(command);
  },
  run: async (call) => {
    const declarations = await exported(call);
    const documents = declarations.map(briefly);
    // No wrapped lines and no anchors: people compare and cut these texts.
    const text = documents.map((each) =>
      stringify(each, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd(),
    );
    return { json: documents, lines: text.length === 0 ? [] : [text.join("\n---\n")] };
  },
};

async function exported(call: VerbCall): Promise<Declaration[]> {
  const kinds = chosenKinds(call);
  const reader = new FleetReader(await call.client());
  const tenantId = await tenantIdOf(call);
  const all = await reader.tenants();
  const tenants = tenantId === undefined ? all : all.filter(({ id }) => id === tenantId);
  const declarations: Declaration[] = [];
  for (const kind of kinds) {
    // The licence is nobody's own.
    const owners = kind === "licence" ? all.slice(0, tenantId === undefined ? 1 : 0) : tenants;
    for (const tenant of owners)
      for (const { declaration, isUsable } of await reader.standings(kind, tenant))
        if (isUsable && isWorthTelling(declaration)) declarations.push(declaration);
  }
  return declarations;
}

/** Those that --kind names, or all, in the order in which they are applied. */
function chosenKinds({ options }: VerbCall): readonly DeclarationKind[] {
  const chosen = listOf(options["kind"]);
  const known: readonly string[] = declarationKinds;
  if (chosen.some((kind) => !known.includes(kind)))
    throw new BackstayError("USAGE", { option: "--kind", known: known.join(", ") });
  return declarationKinds.filter((kind) => chosen.length === 0 || chosen.includes(kind));
}

/** Of machines only labels are told. */
function isWorthTelling(given: Declaration): boolean {
  return given.kind !== "agent" || Object.keys(given.labels).length > 0;
}
