/** Changes name the version that they were made on: `ETag` of what was read, `If-Match` of what is to be changed. */
import { Problem } from "./problem.ts";

/** The ETag of a version. */
export function entityTag(version: number): string {
  return `"${version}"`;
}

/** The version that `if-match` names. Problems precondition-required (428), resource-changed (412) if it names none. */
export function requiredVersion(headers: { readonly "if-match"?: string | undefined }): number {
  const given = headers["if-match"];
  if (given === undefined || given.trim() === "*")
    throw new Problem({
      status: 428,
      code: "precondition-required",
      title: "Say with If-Match which version is to be changed: the ETag of what was read.",
    });
  const version = /^"(\d{1,15})"$/.exec(given.trim())?.[1];
  if (version === undefined)
    throw new Problem({
      status: 412,
      code: "resource-changed",
      title: "If-Match names no version of it.",
    });
  return Number(version);
}
