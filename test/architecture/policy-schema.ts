/** The published JSON Schema of policies, made from the schema that the program itself uses. */
import { z } from "zod";
import { policy } from "../../protocol/policy/policy.ts";

/** The whole text of docs/policy.schema.json. */
export function policySchemaText(): string {
  // What people write: durations as text, defaults not required.
  return `${JSON.stringify(z.toJSONSchema(policy, { io: "input" }), null, 2)}\n`;
}
