/** Whose licences count. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { rawKey } from "../../protocol/control/enrolment.ts";
import { type LicenceDocument, licenceDocument } from "../../protocol/control/licence.ts";
import { type KnownKey, verifyDocument } from "../../protocol/control/signed-document.ts";

/** Built in. `serve --licence-issuer FILE` puts another in its place, for those who issue licences themselves. */
export const builtInIssuer: KnownKey = {
  id: "backstay-licence-1",
  key: "XFVMF00H0Wz6nfjxQ-XswnxmYiJPfdAw60NVgGE7AK0",
};

const issuerFile = z.object({ id: z.string().min(1).max(100), key: rawKey });
const licenceCharactersMax = 16_000;

/** The issuer that a file names: JSON `{ "id": …, "key": … }`, the public key in base64url. LICENCE_INVALID. */
export async function readIssuer(file: string): Promise<KnownKey> {
  try {
    return issuerFile.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (cause) {
    const problem = "the file of the issuer holds no key";
    throw new BackstayError("LICENCE_INVALID", { file, problem }, cause);
  }
}

/** What a licence says. LICENCE_INVALID if it is damaged or was issued by somebody else. */
export function readLicence(jws: string, issuer: KnownKey): LicenceDocument {
  try {
    return verifyDocument(jws.trim(), {
      type: "licence",
      schema: licenceDocument,
      keys: [issuer],
      charactersMax: licenceCharactersMax,
    });
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : "";
    throw new BackstayError("LICENCE_INVALID", { problem }, cause);
  }
}
