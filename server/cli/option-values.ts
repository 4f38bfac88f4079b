/** Values of options, taken apart: labels, sizes, moments, durations. USAGE for what is none. */
import { readFile } from "node:fs/promises";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { durationOf, momentOf, sizeOf } from "./quantities.ts";

/** `site=berlin` for each; the value may be empty. */
export function labelsOf(given: unknown): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const text of listOf(given)) {
    const at = text.indexOf("=");
    if (at < 1) throw usage("label", `"${text}" is not NAME=VALUE`);
    labels[text.slice(0, at)] = text.slice(at + 1);
  }
  return labels;
}

/** An option that may have been given several times. */
export function listOf(given: unknown): readonly string[] {
  return Array.isArray(given) ? (given as string[]) : [];
}

/** The text of an option; undefined if it was not given. */
export function textOf(given: unknown): string | undefined {
  return typeof given === "string" ? given : undefined;
}

/** A size such as `10 TiB`; undefined if it was not given. */
export function sizeOption(name: string, given: unknown): number | undefined {
  const text = textOf(given);
  if (text === undefined) return undefined;
  return sizeOf(text) ?? fail(name, `"${text}" is no size such as 500 MiB or 10 TiB`);
}

/** A moment such as `2027-01-01` or `90d` from now; undefined if it was not given. */
export function momentOption(name: string, given: unknown, nowMs: number): number | undefined {
  const text = textOf(given);
  if (text === undefined) return undefined;
  return (
    momentOf(text, nowMs) ?? fail(name, `"${text}" is neither a date nor a duration such as 30d`)
  );
}

/** A duration such as `12h`, ms; undefined if it was not given. */
export function durationOption(name: string, given: unknown): number | undefined {
  const text = textOf(given);
  if (text === undefined) return undefined;
  return durationOf(text) ?? fail(name, `"${text}" is no duration such as 30m, 12h or 7d`);
}

/** A whole number; undefined if it was not given. */
export function countOption(name: string, given: unknown): number | undefined {
  const text = textOf(given);
  if (text === undefined) return undefined;
  return /^\d{1,12}$/.test(text) ? Number(text) : fail(name, `"${text}" is no whole number`);
}

/** The text of a file. USAGE if it can't be read. */
export async function fileText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const problem = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new BackstayError("USAGE", { file, problem }, error);
  }
}

function fail(name: string, problem: string): never {
  throw usage(name, problem);
}

function usage(name: string, problem: string): BackstayError {
  return new BackstayError("USAGE", { option: `--${name}`, problem });
}
