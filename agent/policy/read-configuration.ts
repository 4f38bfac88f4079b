/** Reads the agent's own configuration file: YAML or JSON, with the place of each mistake. */
import { type AgentConfiguration, agentConfiguration } from "../../protocol/policy/guard-rails.ts";
import type { Mistake } from "../../protocol/policy/policy-mistake.ts";
import { textDocuments } from "../../protocol/policy/policy-text.ts";
import { schemaObjections } from "../../protocol/policy/schema-objections.ts";

export type ConfigurationReading =
  | { readonly kind: "read"; readonly configuration: AgentConfiguration }
  | { readonly kind: "refused"; readonly mistakes: readonly Mistake[] };

/** An empty file is a configuration in which everything is as usual. */
export function readConfiguration(content: Uint8Array): ConfigurationReading {
  const [document, second] = textDocuments(content);
  if (document === undefined) return { kind: "read", configuration: agentConfiguration.parse({}) };
  if (second !== undefined) {
    const problem = "holds a second document, where one is expected";
    return { kind: "refused", mistakes: [{ ...second.position([]), path: [], problem }] };
  }
  if (document.mistakes.length > 0) return { kind: "refused", mistakes: document.mistakes };
  const result = agentConfiguration.safeParse(document.value);
  if (result.success) return { kind: "read", configuration: result.data };
  return {
    kind: "refused",
    mistakes: schemaObjections(result.error.issues).map((objection) => ({
      ...document.position(objection.path),
      ...objection,
    })),
  };
}
