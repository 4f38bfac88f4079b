/** The account of a storage as a secret holds it. */
import { BackstayError } from "./backstay-error.ts";

const variable = /^([A-Z][A-Z0-9_]{0,99})=(.*)$/;

/**
 * Settings under restic's names, from lines `NAME=value` or a JSON object of texts. SECRET_INVALID if it is neither;
 * nothing of the content is told.
 */
export function storageSettings(name: string, text: string): Record<string, string> {
  const given = text.trimStart().startsWith("{") ? ofJson(text) : ofLines(text);
  if (given === undefined)
    throw new BackstayError("SECRET_INVALID", {
      secret: name,
      problem: "the account of a storage is written as lines NAME=value, or as a JSON object",
    });
  return given;
}

function ofJson(text: string): Record<string, string> | undefined {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const entries = Object.entries(value);
    return entries.every(([key, each]) => typeof each === "string" && variable.test(`${key}=`))
      ? (value as Record<string, string>)
      : undefined;
  } catch {
    return undefined;
  }
}

function ofLines(text: string): Record<string, string> | undefined {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const pairs = lines.map((line) => variable.exec(line));
  if (pairs.length === 0 || pairs.includes(null)) return undefined;
  return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? "", pair?.[2] ?? ""]));
}
