/** What a call of a store fails with. */
import { inspect } from "node:util";
import { expect } from "vitest";
import { BackstayError } from "../../protocol/backstay-error.ts";

/** The error of the catalogue that a call is rejected with, which tells none of the secrets, however it is looked at. */
export async function failure(
  call: Promise<unknown>,
  ...secrets: readonly string[]
): Promise<BackstayError> {
  const error: unknown = await call.then(
    () => expect.fail("it did not fail"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof BackstayError)) throw error;
  const shown = inspect(error, { depth: 8, showHidden: true }) + JSON.stringify(error);
  for (const secret of secrets) expect(shown).not.toContain(secret);
  return error;
}
