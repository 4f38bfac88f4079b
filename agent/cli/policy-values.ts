/** Values of policies on a screen. */
import type { EffectiveValue, ValueOrigin } from "../policy/effective-policy.ts";
import { printedMessage } from "./printed-text.ts";

const originTexts: Readonly<Record<ValueOrigin, string>> = {
  default: "default",
  kind: "default of its kind",
  policy: "policy",
  "guard-rail": "guard rail of this machine",
};

/** A value in one line, as YAML would have it. */
export function shownValue(value: unknown): string {
  if (value === undefined) return "(absent)";
  if (typeof value === "string") return printedMessage(value);
  return printedMessage(JSON.stringify(value));
}

export function shownOrigin({ origin, asked }: EffectiveValue): string {
  const asking = asked === undefined ? "" : `, policy: ${shownValue(asked)}`;
  return `${originTexts[origin]}${asking}`;
}
