/** Reads the fields of a JSON object by name and kind. */
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "./parse-json.ts";
import { readBase64, readHexId } from "./text-bytes.ts";
import { utf8Bytes } from "./utf8.ts";

const maximumU32 = 0xffffffff;

/**
 * The fields of one object of a repository file. A field that is missing or null gives the fallback; it is an
 * error if there is none. Every method throws BackstayError REPOSITORY_DAMAGED naming file and field if
 * the field is not of the kind asked for. Fields that nobody asks for are ignored.
 */
export class JsonFields {
  readonly #members: JsonObject;
  readonly #file: string;
  readonly #path: string;

  /** `value` must be an object; `file` and `path` (such as `summary.`) are for errors. */
  constructor(value: JsonValue, file: string, path = "") {
    this.#file = file;
    this.#path = path;
    if (!isJsonObject(value)) this.#fail("", "object expected");
    this.#members = value;
  }

  /** Throws the error of this file and field. */
  fail(name: string, problem: string): never {
    this.#fail(name, problem);
  }

  /** The value as it is, or undefined if it is missing or null. */
  value(name: string): JsonValue | undefined {
    return this.#members.get(name) ?? undefined;
  }

  string(name: string, fallback?: string): string {
    const value = this.#or(name, fallback);
    return typeof value === "string" ? value : this.#fail(name, "string expected");
  }

  boolean(name: string, fallback?: boolean): boolean {
    const value = this.#or(name, fallback);
    return typeof value === "boolean" ? value : this.#fail(name, "true or false expected");
  }

  /** A whole number `minimum … maximum`; by default 0 … 2^53-1. */
  integer(
    name: string,
    fallback?: number,
    minimum = 0,
    maximum: number = Number.MAX_SAFE_INTEGER,
  ): number {
    const value = this.#or(name, fallback);
    const fits = typeof value === "number" && value >= minimum && value <= maximum;
    return fits ? value : this.#fail(name, `whole number ${minimum} to ${maximum} expected`);
  }

  /** A whole number 0 … 2^32-1. */
  u32(name: string, fallback?: number): number {
    return this.integer(name, fallback, 0, maximumU32);
  }

  /** A whole number 0 … 2^64-1. */
  u64(name: string, fallback?: bigint): bigint {
    const value = this.#or(name, fallback);
    const fits = typeof value === "bigint" || typeof value === "number";
    if (!fits || value < 0) this.#fail(name, "whole number 0 to 2^64-1 expected");
    return BigInt(value);
  }

  /** An id: 64 lowercase hex digits, as 32 bytes. */
  id(name: string): Uint8Array {
    return this.optionalId(name) ?? this.#fail(name, "id expected");
  }

  /** An id, or undefined if it is missing or null. */
  optionalId(name: string): Uint8Array | undefined {
    if (this.value(name) === undefined) return undefined;
    const text = utf8Bytes(this.string(name));
    const id = new Uint8Array(32);
    return readHexId(text, 0, text.length, id, 0) ? id : this.#fail(name, "id expected");
  }

  /** The bytes that padded standard base64 stands for. */
  base64(name: string): Uint8Array {
    const text = utf8Bytes(this.string(name));
    return readBase64(text, 0, text.length) ?? this.#fail(name, "base64 expected");
  }

  /** A list; missing or null gives an empty one. */
  array(name: string): readonly JsonValue[] {
    const value = this.value(name) ?? [];
    return Array.isArray(value) ? value : this.#fail(name, "list expected");
  }

  /** A list of strings; missing or null gives an empty one. */
  strings(name: string): string[] {
    return this.array(name).map((value) =>
      typeof value === "string" ? value : this.#fail(name, "list of strings expected"),
    );
  }

  /** The fields of an object in this one. */
  object(name: string): JsonFields {
    return this.optionalObject(name) ?? this.#fail(name, "object expected");
  }

  /** The fields of an object in this one, or undefined if it is missing or null. */
  optionalObject(name: string): JsonFields | undefined {
    const value = this.value(name);
    return value === undefined
      ? undefined
      : new JsonFields(value, this.#file, `${this.#path}${name}.`);
  }

  #or(name: string, fallback: JsonValue | undefined): JsonValue {
    return this.value(name) ?? fallback ?? this.#fail(name, "missing");
  }

  #fail(name: string, problem: string): never {
    const field = name === "" ? this.#path.slice(0, -1) : `${this.#path}${name}`;
    throw new BackstayError("REPOSITORY_DAMAGED", {
      file: this.#file,
      ...(field === "" ? {} : { field }),
      problem,
    });
  }
}
