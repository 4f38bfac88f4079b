/** By which certificate the server is known: one that it makes and renews itself, or the files that it was given. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { hostname, networkInterfaces } from "node:os";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { pinOfKey } from "../../platform/server-pins.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import { type DataFolder, readIfThere } from "./data-folder.ts";
import { isStillGood, makeCertificate, makeCertificateKey } from "./own-certificate.ts";

export interface TlsIdentity {
  readonly context: SecureContextOptions;
  /** Of the key that is shown. */
  readonly pin: string;
  /** Pins for agents: empty where a public authority vouches for the certificate. */
  readonly pins: readonly string[];
}

const keyFact = "tls-key";
const keyContext = "server fact: tls-key";

/**
 * The certificate in the data folder: made if there is none, renewed if it ends soon, lacks a name, or belongs to another
 * key. Its key is sealed in the database: replicas share it, and a server that is restored has it, so that pins hold.
 */
export async function ownIdentity(
  folder: DataFolder,
  ground: Pick<ServerGround, "database" | "vault" | "now">,
  names: readonly string[],
): Promise<TlsIdentity> {
  const keyText = (await readOwnKey(ground)) ?? (await makeOwnKey(ground));
  const key = createPrivateKey(keyText);
  let certificate = await readIfThere(folder.certificateFile);
  if (certificate === undefined || !isStillGood(certificate, key, names, ground.now())) {
    certificate = makeCertificate(key, names, ground.now());
    await folder.write(folder.certificateFile, certificate);
  }
  const pin = pinOfKey(key);
  return { context: contextOf(keyText, certificate), pin, pins: [pin] };
}

async function readOwnKey({
  database,
  vault,
}: Pick<ServerGround, "database" | "vault">): Promise<string | undefined> {
  const row = await database
    .selectFrom("server_facts")
    .select("value")
    .where("name", "=", keyFact)
    .executeTakeFirst();
  return row === undefined
    ? undefined
    : Buffer.from(vault.open(row.value, keyContext)).toString("utf8");
}

/** Of replicas that start together the first one's key counts. */
async function makeOwnKey(ground: Pick<ServerGround, "database" | "vault">): Promise<string> {
  const value = ground.vault.seal(Buffer.from(makeCertificateKey()), keyContext);
  await ground.database
    .insertInto("server_facts")
    .values({ name: keyFact, value })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .execute();
  const made = await readOwnKey(ground);
  if (made === undefined) throw new BackstayError("DATABASE_FOREIGN", { problem: keyFact });
  return made;
}

/** The certificate of two PEM files. TLS_FILES if they can't be read or don't fit together. */
export async function givenIdentity(files: {
  readonly certificateFile: string;
  readonly keyFile: string;
}): Promise<TlsIdentity> {
  const [certificate, keyText] = await Promise.all(
    [files.certificateFile, files.keyFile].map(async (file) => await readPem(file)),
  );
  const key = readKey(keyText, files.keyFile);
  const parsed = readCertificate(certificate, files.certificateFile);
  if (!parsed.checkPrivateKey(key))
    throw new BackstayError("TLS_FILES", {
      path: files.keyFile,
      problem: "it is not the key of the certificate",
    });
  const pin = pinOfKey(key);
  // Nobody else vouches for a certificate that is signed by its own key.
  const isOfItself = parsed.verify(parsed.publicKey);
  return { context: contextOf(keyText, certificate), pin, pins: isOfItself ? [pin] : [] };
}

/** Names and addresses by which this machine may be called, `more` among them. */
export function namesOfMachine(more: readonly string[]): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    // Addresses of one link only mean nothing to other machines.
    .filter(
      ({ address, scopeid }) =>
        scopeid === undefined || scopeid === 0 || !address.startsWith("fe80"),
    )
    .map(({ address }) => address);
  const names = ["localhost", hostname(), "127.0.0.1", "::1", ...addresses, ...more];
  return [...new Set(names.filter((name) => name !== "0.0.0.0" && name !== "::"))];
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const problem = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new BackstayError("TLS_FILES", { path: file, problem }, error);
  }
}

function readKey(text: string, file: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    // Without the cause: nothing of a key's file belongs into a log.
    throw new BackstayError("TLS_FILES", { path: file, problem: "it holds no private key in PEM" });
  }
}

function readCertificate(text: string, file: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (error) {
    const problem = "it holds no certificate in PEM";
    throw new BackstayError("TLS_FILES", { path: file, problem }, error);
  }
}

function contextOf(key: string, cert: string): SecureContextOptions {
  const context: SecureContextOptions = { key, cert, minVersion: "TLSv1.2" };
  try {
    createSecureContext(context);
  } catch (error) {
    throw new BackstayError("TLS_FILES", { problem: "OpenSSL does not take them" }, error);
  }
  return context;
}
