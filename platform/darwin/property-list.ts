/** Reads property lists in XML, as the programs of macOS print them. */

export type PropertyValue =
  | string
  | number
  | boolean
  | Uint8Array
  | readonly PropertyValue[]
  | PropertyDictionary;

export type PropertyDictionary = ReadonlyMap<string, PropertyValue>;

const depthMax = 64;
const entities: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};

/** The value of a whole document. Dates are given as their text. Throws an Error if it is none. */
export function parsePropertyList(text: string): PropertyValue {
  const reader = new TagReader(text);
  const first = reader.next();
  const isWrapped = first.name === "plist" && !first.isEnd;
  const value = readValue(reader, isWrapped ? reader.next() : first, 0);
  if (isWrapped) expectEnd(reader, "plist");
  return value;
}

/** As above, if the value is a dictionary; undefined for anything else. */
export function parseDictionary(text: string): PropertyDictionary | undefined {
  try {
    const value = parsePropertyList(text);
    return value instanceof Map ? (value as PropertyDictionary) : undefined;
  } catch {
    return undefined;
  }
}

/** The dictionaries among the values of a list; none if it is no list. */
export function dictionariesOf(value: PropertyValue | undefined): readonly PropertyDictionary[] {
  if (!Array.isArray(value)) return [];
  return (value as readonly PropertyValue[]).filter(
    (each): each is PropertyDictionary => each instanceof Map,
  );
}

interface Tag {
  readonly name: string;
  readonly isEnd: boolean;
  readonly isEmpty: boolean;
  /** Between the tag before and this one. */
  readonly textBefore: string;
}

/** One tag after the other; comments and declarations are left out. */
class TagReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  next(): Tag {
    for (;;) {
      const begin = this.#text.indexOf("<", this.#at);
      if (begin < 0) throw new Error("property list: it ends too early");
      const isComment = this.#text.startsWith("<!--", begin);
      const end = this.#text.indexOf(isComment ? "-->" : ">", begin);
      if (end < 0) throw new Error("property list: a tag does not end");
      const textBefore = this.#text.slice(this.#at, begin);
      this.#at = end + (isComment ? 3 : 1);
      const inner = this.#text.slice(begin + 1, end);
      if (/^[!?]/.test(inner)) continue;
      const isEnd = inner.startsWith("/");
      const isEmpty = inner.endsWith("/");
      const [name] = inner.replace(/^\//, "").replace(/\/$/, "").trim().split(/\s/, 1);
      return { name, isEnd, isEmpty, textBefore };
    }
  }
}

function readValue(reader: TagReader, tag: Tag, depth: number): PropertyValue {
  if (tag.isEnd) throw new Error(`property list: </${tag.name}> closes nothing`);
  if (depth > depthMax) throw new Error("property list: too deep");
  switch (tag.name) {
    case "dict":
      return readDictionary(reader, tag, depth);
    case "array":
      return readArray(reader, tag, depth);
    case "true":
    case "false":
      if (!tag.isEmpty) expectEnd(reader, tag.name);
      return tag.name === "true";
    case "string":
    case "date":
      return readText(reader, tag);
    case "integer":
    case "real":
      return Number(readText(reader, tag));
    case "data":
      return Buffer.from(readText(reader, tag), "base64");
    default:
      throw new Error(`property list: unknown <${tag.name}>`);
  }
}

function readDictionary(reader: TagReader, tag: Tag, depth: number): PropertyDictionary {
  const found = new Map<string, PropertyValue>();
  if (tag.isEmpty) return found;
  for (;;) {
    const next = reader.next();
    if (next.isEnd && next.name === "dict") return found;
    if (next.isEnd || next.name !== "key") throw new Error("property list: a key is missing");
    const key = readText(reader, next);
    found.set(key, readValue(reader, reader.next(), depth + 1));
  }
}

function readArray(reader: TagReader, tag: Tag, depth: number): readonly PropertyValue[] {
  const found: PropertyValue[] = [];
  if (tag.isEmpty) return found;
  for (;;) {
    const next = reader.next();
    if (next.isEnd && next.name === "array") return found;
    found.push(readValue(reader, next, depth + 1));
  }
}

function readText(reader: TagReader, tag: Tag): string {
  return tag.isEmpty ? "" : plainText(expectEnd(reader, tag.name));
}

/** The text before the end of that element, which must come next. */
function expectEnd(reader: TagReader, name: string): string {
  const end = reader.next();
  if (!end.isEnd || end.name !== name) throw new Error(`property list: </${name}> is missing`);
  return end.textBefore;
}

function plainText(text: string): string {
  return text.replace(/&(#x[0-9a-fA-F]+|#\d+|\w+);/g, (whole, name: string) => {
    if (!name.startsWith("#")) return entities[name] ?? whole;
    const code = name.startsWith("#x") ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
