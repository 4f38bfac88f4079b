/** The `config` file: format version, repository id, chunker polynomial. Sealed, never compressed. */
import { randomBytes } from "node:crypto";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import type { Sealer } from "../crypto/sealed-bytes.ts";
import { idToHex, isHexId } from "../id.ts";
import { JsonFields } from "../json/json-fields.ts";
import { type JsonValue, parseJson } from "../json/parse-json.ts";
import { isIrreducible, polynomialDegree, randomPolynomial } from "./polynomial.ts";

export interface RepositoryConfig {
  readonly version: 1 | 2;
  /** 64 hex digits. */
  readonly id: string;
  /** Rabin polynomial of restic's own chunker; ours does not use it. */
  readonly polynomial: bigint;
}

/** Most bytes of a config file, stored or opened. */
export const configBytesMax = 1024 * 1024;

/** A new repository of format 2. */
export function generateConfig(): RepositoryConfig {
  return { version: 2, id: idToHex(randomBytes(32)), polynomial: randomPolynomial() };
}

export function encodeConfig(sealer: Sealer, config: RepositoryConfig): Uint8Array {
  const json = {
    version: config.version,
    id: config.id,
    chunker_polynomial: config.polynomial.toString(16),
  };
  return sealer.seal(new TextEncoder().encode(JSON.stringify(json)));
}

/** REPOSITORY_DAMAGED if it can't be read, REPOSITORY_UNSUPPORTED for a version that is not known. */
export function decodeConfig(sealer: Sealer, stored: Uint8Array): RepositoryConfig {
  const plain = sealer.open(stored);
  if (plain === undefined) throw damaged("its seal is broken");
  const json = parseJson(plain, { file: "config", maximumBytes: configBytesMax, maximumDepth: 16 });
  const fields = new JsonFields(json, "config");
  const version = fields.value("version");
  if (version !== 1 && version !== 2)
    throw new BackstayError("REPOSITORY_UNSUPPORTED", { version: shown(version) });
  const id = fields.string("id");
  if (!isHexId(id)) throw damaged("its repository id is malformed");
  const polynomial = fields.string("chunker_polynomial");
  if (!/^[0-9a-f]{1,16}$/.test(polynomial)) throw damaged("its chunker polynomial is malformed");
  const value = BigInt(`0x${polynomial}`);
  if (polynomialDegree(value) > 53 || !isIrreducible(value))
    throw damaged("its chunker polynomial is not irreducible");
  return { version, id, polynomial: value };
}

function shown(version: JsonValue | undefined): string {
  return typeof version === "number" || typeof version === "string"
    ? String(version).slice(0, 20)
    : "none";
}

function damaged(problem: string): BackstayError {
  return new BackstayError("REPOSITORY_DAMAGED", { file: "config", problem });
}
