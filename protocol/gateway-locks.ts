/**
 * How a machine has the gateway lock objects for a time (docs/gateway.md), as both ends write it: in one header of a
 * request. With the content of a new object it says the mode and for how many days, with `PATCH` the mode and until when,
 * with `HEAD` it asks. Pure.
 */
import { type Immutability, type RetentionMode, retentionModes } from "./immutability.ts";

/** Of requests. */
export const lockHeader = "backstay-lock";
/** Its value with `HEAD`. */
export const lockQuestion = "ask";
/** Of the answer to a question, ms since 1970; absent: the object is not locked. */
export const lockedUntilHeader = "backstay-locked-until";

/** Of each answer of a gateway. */
export const gatewayHeader = "backstay-gateway";
/** Its values: what the machine that asks may have done there. */
export const gatewayWords = { plain: "1", locks: "1 locks" } as const;

/** A moment until when, and how strictly, an object is to be locked. */
export interface LockUntil {
  readonly mode: RetentionMode;
  /** Ms since 1970. */
  readonly untilMs: number;
}

/** The header's value for a new object. Parts of days are rounded up. */
export function lockRuleText({ mode, days }: Immutability): string {
  return `${mode} days=${Math.ceil(days)}`;
}

/** Undefined if it is none. */
export function lockRuleOf(text: string): Immutability | undefined {
  const found = markedNumber(text, /^([a-z]+) days=([1-9]\d{0,4})$/);
  return found && { mode: found.mode, days: found.value };
}

export function lockUntilText({ mode, untilMs }: LockUntil): string {
  return `${mode} until=${Math.ceil(untilMs)}`;
}

/** Undefined if it is none. */
export function lockUntilOf(text: string): LockUntil | undefined {
  const found = markedNumber(text, /^([a-z]+) until=([1-9]\d{0,14})$/);
  return found && { mode: found.mode, untilMs: found.value };
}

function markedNumber(
  text: string,
  form: RegExp,
): { readonly mode: RetentionMode; readonly value: number } | undefined {
  const [, word, digits] = form.exec(text) ?? [];
  const mode = retentionModes.find((each) => each === word);
  return mode === undefined ? undefined : { mode, value: Number(digits) };
}
