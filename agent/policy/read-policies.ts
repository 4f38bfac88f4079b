/** Reads policies as people write them: YAML or JSON, several documents a text. */
import { type Policy, policy, policyVersion } from "../../protocol/policy/policy.ts";
import type { Mistake, Objection, RefusalCode } from "../../protocol/policy/policy-mistake.ts";
import {
  type Position,
  policyTextLimits,
  type TextDocument,
  textDocuments,
} from "../../protocol/policy/policy-text.ts";
import { schemaObjections, unknownFields } from "../../protocol/policy/schema-objections.ts";
import { type SettingPath, valueAt } from "../../protocol/policy/setting-path.ts";
import { scheduleProblems } from "../../protocol/schedule/schedule-problems.ts";
import { patternObjections } from "./pattern-objections.ts";

/** A policy that follows the schema. */
export interface ReadPolicy {
  readonly kind: "read";
  readonly name: string;
  readonly policy: Policy;
  /** The document as it is written, without defaults. */
  readonly document: unknown;
  /** Its text, comments included. */
  readonly text: string;
  /** Where a setting stands in the text that was read, or what holds it if it is absent. */
  readonly position: (path: SettingPath) => Position;
}

/** A document that is no policy of this version. */
export interface RefusedPolicy {
  readonly kind: "refused";
  /** If that much could be read. */
  readonly name: string | undefined;
  readonly code: RefusalCode;
  /** At least one. With POLICY_NEWER those fields that this version does not know, if there are any. */
  readonly mistakes: readonly Mistake[];
}

export type PolicyReading = ReadPolicy | RefusedPolicy;

/** The policies of a text, in its order. A text without any is one refusal. */
export function readPolicies(content: Uint8Array): PolicyReading[] {
  const documents = textDocuments(content);
  if (documents.length === 0)
    return [refused(undefined, [{ line: 1, column: 1, path: [], problem: "holds no policy" }])];
  const names = new Set<string>();
  return documents.map((document) => {
    const reading = readPolicy(document);
    if (reading.kind === "refused" || !names.has(reading.name)) {
      names.add(reading.name ?? "");
      return reading;
    }
    return refusal(reading, "POLICY_INVALID", [
      { path: ["name"], problem: "is the name of another policy of this file too" },
    ]);
  });
}

/** The refusal of a policy that was read, with the places of what is objected to. */
export function refusal(
  reading: ReadPolicy,
  code: RefusalCode,
  objections: readonly Objection[],
): RefusedPolicy {
  return {
    kind: "refused",
    name: reading.name,
    code,
    mistakes: placedMistakes(objections, reading),
  };
}

/** In the order of the text, and not more than anybody reads. */
function placedMistakes(
  objections: readonly Objection[],
  { position }: Pick<TextDocument, "position">,
): Mistake[] {
  const most = policyTextLimits.mistakes;
  const mistakes = objections
    .map((objection) => ({ ...position(objection.path), ...objection }))
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
  if (mistakes.length <= most) return mistakes;
  const problem = `and ${mistakes.length - most} more mistakes`;
  return [...mistakes.slice(0, most), { ...mistakes[most], path: [], problem }];
}

function readPolicy(document: TextDocument): PolicyReading {
  const { value, mistakes, text } = document;
  const name = nameOf(value);
  if (mistakes.length > 0) return refused(name, mistakes);
  const placed = (objections: readonly Objection[]): Mistake[] =>
    placedMistakes(objections, document);
  const version = valueAt(value, ["version"]);
  if (typeof version === "number" && Number.isInteger(version) && version > policyVersion)
    return { kind: "refused", name, code: "POLICY_NEWER", mistakes: placed(newerFields(value)) };
  const result = policy.safeParse(value);
  const objections = result.success
    ? [...patternObjections(result.data), ...scheduleObjections(result.data)]
    : schemaObjections(result.error.issues);
  if (!result.success || objections.length > 0) return refused(name, placed(objections));
  return {
    kind: "read",
    name: result.data.name,
    policy: result.data,
    document: value,
    text,
    position: document.position,
  };
}

function refused(name: string | undefined, mistakes: readonly Mistake[]): RefusedPolicy {
  return { kind: "refused", name, code: "POLICY_INVALID", mistakes };
}

/** The version, and every field that this version would not understand. */
function newerFields(value: unknown): Objection[] {
  const result = policy.safeParse({ ...(value as object), version: policyVersion });
  const fields = result.success ? [] : unknownFields(result.error.issues);
  return [
    { path: ["version"], problem: `is newer than ${policyVersion}, the newest known here` },
    ...fields.map((path) => ({ path, problem: "is not known to this version" })),
  ];
}

function scheduleObjections({ schedule }: Policy): Objection[] {
  return scheduleProblems(schedule).map(({ path, text }) => ({
    path: ["schedule", ...path],
    problem: text,
  }));
}

function nameOf(value: unknown): string | undefined {
  const name = valueAt(value, ["name"]);
  return typeof name === "string" && name !== "" ? name.slice(0, 64) : undefined;
}
