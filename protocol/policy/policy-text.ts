/** The text of policies, YAML or JSON, taken apart into documents whose every value knows its line. */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseAllDocuments,
  type YAMLError,
} from "yaml";
import type { Mistake } from "./policy-mistake.ts";
import type { SettingPath } from "./setting-path.ts";

/** One document of a text. */
export interface TextDocument {
  /** As it is written, comments included. */
  readonly text: string;
  /** The plain value; undefined if there are mistakes of form. */
  readonly value: unknown;
  /** Mistakes of form. */
  readonly mistakes: readonly Mistake[];
  /** Line and column of the value at a path, or of what holds it if it is absent; of a field itself its name. */
  readonly position: (path: SettingPath) => Position;
}

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Bounds on what is read, far above any policy. */
export const policyTextLimits = { bytes: 1024 * 1024, documents: 1000, mistakes: 20 } as const;

const start: Position = { line: 1, column: 1 };

/** The documents that hold anything. A text that can't be taken apart at all is one document with a mistake. */
export function textDocuments(content: Uint8Array): TextDocument[] {
  if (content.length > policyTextLimits.bytes)
    return [unreadable(`is larger than ${policyTextLimits.bytes} bytes`)];
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    return [unreadable("is not UTF-8")];
  }
  const lines = new LineCounter();
  // A schema without old meanings of `yes`, `off` and `22:30`.
  const parsed = parseAllDocuments(text, { lineCounter: lines, version: "1.2", schema: "core" });
  const documents = [...parsed].filter(
    (document) => !isNothing(document) || document.errors.length > 0,
  );
  if (documents.length > policyTextLimits.documents)
    return [unreadable(`holds more than ${policyTextLimits.documents} documents`)];
  return documents.map((document) =>
    textDocument(
      document,
      documents.length === 1 ? text : text.slice(document.range[0], document.range[2]),
      lines,
    ),
  );
}

function textDocument(
  document: Document.Parsed<ParsedNode>,
  text: string,
  lines: LineCounter,
): TextDocument {
  const problems = [...document.errors, ...document.warnings].slice(0, policyTextLimits.mistakes);
  let mistakes = problems.map((problem) => mistakeOf(problem, lines));
  let value: unknown;
  if (mistakes.length === 0) {
    try {
      value = document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      // Aliases that multiply without end, or refer to themselves.
      const problem = error instanceof Error ? error.message : String(error);
      mistakes = [{ ...lineColumn(lines, document.range[0]), path: [], problem }];
    }
  }
  return {
    text,
    value,
    mistakes,
    position: (path) => lineColumn(lines, offsetAt(document, path)),
  };
}

/** The offset of the deepest part of the path that there is. */
function offsetAt(document: Document.Parsed<ParsedNode>, path: SettingPath): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0] ?? document.range[0];
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === part);
      if (pair === undefined) break;
      offset = rangeStart(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof part === "number") {
      node = node.items[part];
      offset = rangeStart(node) ?? offset;
    } else break;
  }
  return offset;
}

function rangeStart(node: unknown): number | undefined {
  if (typeof node !== "object" || node === null || !("range" in node)) return undefined;
  const range = node.range;
  return Array.isArray(range) && typeof range[0] === "number" ? range[0] : undefined;
}

function mistakeOf(problem: YAMLError, lines: LineCounter): Mistake {
  // Behind the first line stands an excerpt of the text, and the position, which is told otherwise.
  const [sentence] = problem.message.split("\n");
  return {
    ...lineColumn(lines, problem.pos[0]),
    path: [],
    problem: sentence.replace(/ at line \d+, column \d+:?$/, ""),
  };
}

function lineColumn(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function isNothing(document: Document.Parsed<ParsedNode>): boolean {
  const { contents } = document;
  return contents === null || (isScalar(contents) && contents.value === null);
}

function unreadable(problem: string): TextDocument {
  return {
    text: "",
    value: undefined,
    mistakes: [{ ...start, path: [], problem }],
    position: () => start,
  };
}
