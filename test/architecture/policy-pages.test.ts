/** What is published about policies is what the program does. */
import { expect, it } from "vitest";
import { acceptPolicies } from "../../agent/policy/accept-policies.ts";
import { readConfiguration } from "../../agent/policy/read-configuration.ts";
import { readPolicies } from "../../agent/policy/read-policies.ts";
import { readText } from "./checkout.ts";
import { policySchemaText } from "./policy-schema.ts";

const examples = [...readText("docs/policies.md").matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(
  ([, text]) => Buffer.from(text),
);
const isPolicy = (example: Buffer): boolean => example.toString().startsWith("version: 1\n");

it("docs/policy.schema.json is the schema that policies are checked with", () => {
  const advice = "run node_modules/.bin/node test/architecture/write-pages.ts";
  expect(readText("docs/policy.schema.json") === policySchemaText(), advice).toBe(true);
});

it("every policy of docs/policies.md can be put in force", () => {
  const policies = examples.filter(isPolicy).map((example) => readPolicies(example));
  expect(policies.length).toBeGreaterThan(3);
  const machine = { rails: {}, policies: new Map() };
  for (const refused of policies
    .flatMap((readings) => acceptPolicies(readings, machine))
    .filter(({ kind }) => kind === "refused"))
    expect(refused).toBeUndefined();
});

it("every other example of docs/policies.md is a configuration of the agent", () => {
  const others = examples.filter((example) => !isPolicy(example));
  expect(others.length).toBeGreaterThan(0);
  for (const example of others) expect(readConfiguration(example).kind).toBe("read");
});
