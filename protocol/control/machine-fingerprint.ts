/** When two fingerprints (`fingerprint` of enrolment.ts) are two machines'. */

/** Salted hashes by the name of the mark; marks that a machine does not have are absent. */
export type Fingerprint = Readonly<Record<string, string>>;

/** So many marks must differ: one alone changes with repairs. */
const marksOfAnother = 2;

/** The marks that both have and that differ, in alphabetical order. */
export function differingMarks(one: Fingerprint, other: Fingerprint): string[] {
  return Object.keys(one)
    .filter((name) => other[name] !== undefined && one[name] !== other[name])
    .sort();
}

/** True if they are of two machines, and not of one that was repaired. */
export function areTwoMachines(one: Fingerprint, other: Fingerprint): boolean {
  return differingMarks(one, other).length >= marksOfAnother;
}
