/** What a machine says of itself so that copies of it are found: salted hashes of its marks. Pure. */
import { createHash } from "node:crypto";
import type { MachineMarks } from "../../platform/ports/machine-marks.ts";
import type { Fingerprint } from "../../protocol/control/machine-fingerprint.ts";

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
