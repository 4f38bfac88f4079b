/** Reads the documents of `apply`, all of them or none: each mistake with its file and line. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { namesFromCsv } from "../../protocol/management/names-from-csv.ts";
import { policy } from "../../protocol/policy/policy.ts";
import type { Objection } from "../../protocol/policy/policy-mistake.ts";
import { type TextDocument, textDocuments } from "../../protocol/policy/policy-text.ts";
import { schemaObjections } from "../../protocol/policy/schema-objections.ts";
import { settingText } from "../../protocol/policy/setting-path.ts";
import { type Declaration, declaration, nameOf } from "./declarations.ts";

/** A declaration and where it stands. */
export interface Declared {
  readonly declaration: Declaration;
  /** `fleet.yaml, line 12`. */
  readonly place: string;
}

/** A file to read; `-` stands for standard input. */
export interface DeclaredFile {
  readonly name: string;
  readonly content: Uint8Array;
}

const mistakesShown = 20;

/**
 * The declarations of the files, in their order. DECLARATION_INVALID with every mistake, one of which may be that two
 * documents are about the same thing.
 */
export async function readDeclarations(files: readonly DeclaredFile[]): Promise<Declared[]> {
  const read: Declared[] = [];
  const mistakes: string[] = [];
  for (const file of files)
    for (const document of textDocuments(file.content)) {
      const found = readDocument(document);
      if (found.kind === "refused")
        mistakes.push(...found.mistakes.map((mistake) => mistakeText(file, mistake)));
      else {
        const place = placeText(file, document.position([]));
        read.push({ declaration: await withNames(found.declaration, file.name, place), place });
      }
    }
  mistakes.push(...repetitions(read));
  if (read.length === 0 && mistakes.length === 0) mistakes.push("there is no document in it");
  if (mistakes.length > 0) throw invalidDeclaration(mistakes);
  return read;
}

function placeText({ name }: DeclaredFile, { line }: { readonly line: number }): string {
  return `${name === "-" ? "standard input" : name}, line ${line}`;
}

function mistakeText(file: DeclaredFile, mistake: Objection & { readonly line: number }): string {
  const subject = settingText(mistake.path);
  return `${placeText(file, mistake)}: ${subject === "" ? "" : `${subject} `}${mistake.problem}`;
}

/** Two documents about the same thing: one of them would be in vain. */
function repetitions(read: readonly Declared[]): string[] {
  const seen = new Map<string, string>();
  return read.flatMap(({ declaration: given, place }) => {
    const tenant = "tenant" in given ? given.tenant : undefined;
    const subject = JSON.stringify([given.kind, tenant ?? null, nameOf(given)]);
    const other = seen.get(subject);
    seen.set(subject, place);
    return other === undefined ? [] : [`${place}: is about the same thing as ${other}`];
  });
}

/** DECLARATION_INVALID of these mistakes. */
export function invalidDeclaration(mistakes: readonly string[]): BackstayError {
  const more = mistakes.length - mistakesShown;
  const shown = mistakes.slice(0, mistakesShown).join("; ");
  return new BackstayError("DECLARATION_INVALID", {
    problem: more > 0 ? `${shown}; and ${more} more` : shown,
  });
}

type DocumentReading =
  | { readonly kind: "read"; readonly declaration: Declaration }
  | {
      readonly kind: "refused";
      readonly mistakes: readonly (Objection & { readonly line: number })[];
    };

function readDocument(document: TextDocument): DocumentReading {
  if (document.mistakes.length > 0) return { kind: "refused", mistakes: document.mistakes };
  const result = declaration.safeParse(document.value);
  const objections = result.success
    ? policyObjections(result.data)
    : schemaObjections(result.error.issues);
  if (result.success && objections.length === 0) return { kind: "read", declaration: result.data };
  return {
    kind: "refused",
    mistakes: objections
      .map((objection) => ({ ...document.position(objection.path), ...objection }))
      .toSorted((a, b) => a.line - b.line),
  };
}

/** The server would find them too, but knows nothing of lines. */
function policyObjections(given: Declaration): Objection[] {
  if (given.kind !== "policy") return [];
  const result = policy.safeParse(given.document);
  if (result.success) return [];
  return schemaObjections(result.error.issues).map(({ path: place, problem }) => ({
    path: ["document", ...place],
    problem,
  }));
}

/** A group by a CSV file has the names of that file, which stands beside the document's own. */
async function withNames(given: Declaration, file: string, place: string): Promise<Declaration> {
  if (given.kind !== "group" || !("csv" in given.selector)) return given;
  const csv = path.resolve(file === "-" ? "." : path.dirname(file), given.selector.csv);
  let text: string;
  try {
    text = await readFile(csv, "utf8");
  } catch (error) {
    const problem = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw invalidDeclaration([`${place}: selector.csv can't be read: ${problem}`]);
  }
  return { ...given, selector: { kind: "names", names: namesFromCsv(text) } };
}
