/** What a machine says of itself so that copies of it are found: salted hashes of its marks. Pure. */
import { createHash } from "node:crypto";
import type { MachineMarks } from "../../platform/ports/machine-marks.ts";

/** Hashes by the name of the mark; marks that the machine does not have are absent. */
export type Fingerprint = Readonly<Record<string, string>>;

/** So many marks must differ for another machine: one alone changes with repairs. */
export const marksOfAnother = 2;

const hashCharacters = 16;

/** `salt` belongs to the identity: hashes of different identities can't be compared, nor guessed from known numbers. */
export function fingerprintOf(marks: MachineMarks, salt: string): Fingerprint {
  const entries = Object.entries(marks).flatMap(([name, value]: [string, string | undefined]) => {
    if (value === undefined) return [];
    const hash = createHash("sha256").update(`${salt}\0${name}\0${value}`).digest("base64url");
    return [[name, hash.slice(0, hashCharacters)] as const];
  });
  return Object.fromEntries(entries);
}

/** The marks that both have and that differ, in alphabetical order. */
export function differingMarks(one: Fingerprint, other: Fingerprint): string[] {
  return Object.keys(one)
    .filter((name) => other[name] !== undefined && one[name] !== other[name])
    .sort();
}
