/** What a source file imports and which rule-bound things it names, read from its syntax tree. */
import path from "node:path";
import { parseSync, Visitor } from "oxc-parser";

/** The facts of one file that the rules of test/architecture need. */
export interface SourceFacts {
  /** Files that it imports, as paths from the root of the checkout: statically, by `import("…")`, as types, as re-exports, or as worker entries. */
  readonly files: readonly string[];
  /** Packages and `node:` modules that it imports, as written. */
  readonly packages: readonly string[];
  /** `object.property` of every plain member access (`process.platform`, `Date.now`), and `new Date()` without arguments. */
  readonly uses: ReadonlySet<string>;
  /** True if it has a function that is `async` or awaits anything. */
  readonly isAsync: boolean;
  /** String literals that are values, not what another value is compared with. */
  readonly values: ReadonlySet<string>;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** Reads a file's facts. Throws if it has a syntax error or imports a computed path, which no rule could follow. */
export function readFacts(file: string, text: string): SourceFacts {
  const { program, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`);
  const specifiers: string[] = [];
  const uses = new Set<string>();
  const values = new Set<string>();
  const compared = new Set<number>();
  let isAsync = false;
  const noteAsync = (node: { async: boolean }): void => {
    isAsync ||= node.async;
  };
  const noteCompared = (node: Range | null): void => {
    if (node !== null) compared.add(node.start);
  };
  const literalOf = (node: { type: string; value?: unknown; start: number }): string => {
    if (node.type === "Literal" && typeof node.value === "string") return node.value;
    const line = text.slice(0, node.start).split("\n").length;
    throw new Error(`${file}:${line}: import a literal path, so that the layer test can follow it`);
  };
  new Visitor({
    ImportDeclaration: (node) => void specifiers.push(node.source.value),
    ExportAllDeclaration: (node) => void specifiers.push(node.source.value),
    ExportNamedDeclaration: (node) => {
      if (node.source !== null) specifiers.push(node.source.value);
    },
    ImportExpression: (node) => void specifiers.push(literalOf(node.source)),
    TSImportType: (node) => void specifiers.push(literalOf(node.source)),
    NewExpression: (node) => {
      if (node.callee.type !== "Identifier") return;
      const [first, second] = node.arguments;
      if (node.callee.name === "Date" && node.arguments.length === 0) uses.add("new Date()");
      if (node.callee.name !== "URL" || second === undefined) return;
      if (text.slice(second.start, second.end) !== "import.meta.url") return;
      const target = literalOf(first);
      if (/\.(?:ts|mjs|js)$/.test(target)) specifiers.push(target);
    },
    MemberExpression: (node) => {
      if (node.object.type === "Identifier" && node.property.type === "Identifier")
        uses.add(`${node.object.name}.${node.property.name}`);
    },
    BinaryExpression: (node) => {
      noteCompared(node.left);
      noteCompared(node.right);
    },
    SwitchCase: (node) => noteCompared(node.test),
    CallExpression: (node) => {
      if (node.callee.type === "Identifier" && node.callee.name.startsWith("is"))
        for (const argument of node.arguments) noteCompared(argument);
    },
    FunctionDeclaration: noteAsync,
    FunctionExpression: noteAsync,
    ArrowFunctionExpression: noteAsync,
    "AwaitExpression:exit": () => {
      isAsync = true;
    },
    "Literal:exit": (node) => {
      if (typeof node.value === "string" && !compared.has(node.start)) values.add(node.value);
    },
    TSLiteralType: (node) => noteCompared(node.literal),
  }).visit(program);
  const isRelative = (specifier: string): boolean => specifier.startsWith(".");
  return {
    files: specifiers
      .filter(isRelative)
      .map((specifier) => path.posix.join(path.posix.dirname(file), specifier)),
    packages: specifiers.filter((specifier) => !isRelative(specifier)),
    uses,
    isAsync,
    values,
  };
}
