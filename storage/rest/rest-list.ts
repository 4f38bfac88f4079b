/** Lists of files as REST servers send them, in either version of the protocol. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { HttpAnswer } from "../http/http-transport.ts";
import type { FileType } from "../object-store.ts";
import { JsonElements } from "./json-elements.ts";

/** The elements of a list, as they arrive. STORE_UNAVAILABLE if it is none or has no end. */
export async function* entriesOf(answer: HttpAnswer, file: string): AsyncIterable<unknown[]> {
  const elements = new JsonElements();
  const decoder = new TextDecoder();
  try {
    for await (const part of answer.body)
      yield elements.push(decoder.decode(part, { stream: true }));
    elements.end();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new BackstayError("STORE_UNAVAILABLE", { file, problem: error.message }, error);
  }
}

/** Version 1 of the protocol lists names only. STORE_UNAVAILABLE if an element is none of a list. */
export function nameAndSize(
  entry: unknown,
  type: FileType,
): { name: string; size: number | undefined } {
  if (typeof entry === "string") return { name: entry, size: undefined };
  if (typeof entry === "object" && entry !== null && "name" in entry && "size" in entry) {
    const { name, size } = entry;
    if (typeof name === "string" && Number.isSafeInteger(size) && (size as number) >= 0)
      return { name, size: size as number };
  }
  throw new BackstayError("STORE_UNAVAILABLE", {
    file: `${type}/`,
    problem: "an entry of its list is none",
  });
}
