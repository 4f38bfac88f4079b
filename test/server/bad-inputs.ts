/** Inputs for an operation of an OpenAPI description that are almost as it wants them. The same seed makes the same. */
import type { AskOptions, Method } from "./management-scene.ts";

type Json = Readonly<Record<string, unknown>>;

/** An operation, as far as inputs are made of it. */
export interface Operation {
  readonly method: Method;
  /** With `{id}`. */
  readonly path: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema: Json;
  }[];
  readonly body: Json | undefined;
}

export interface BadInput {
  readonly url: string;
  readonly body: AskOptions["body"];
  readonly headers: Readonly<Record<string, string>>;
}

/** The operations of a description. */
export function operationsOf(description: {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Json>>>>;
}): Operation[] {
  return Object.entries(description.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => {
      const { parameters, requestBody } = operation as {
        parameters?: Operation["parameters"];
        requestBody?: { content?: Readonly<Record<string, { schema?: Json }>> };
      };
      return {
        method: method.toUpperCase() as Method,
        path,
        parameters: parameters ?? [],
        body: requestBody?.content?.["application/json"]?.schema,
      };
    }),
  );
}

/** A number from 0 up to 1, the next of a sequence that its seed decides. */
export type Chance = () => number;

export function chanceOf(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function oneOf<Item>(chance: Chance, items: readonly Item[]): Item {
  return items[Math.floor(chance() * items.length)];
}

const long = "x".repeat(5000);
const nested = JSON.parse("[".repeat(200) + "]".repeat(200)) as unknown;
const oddTexts = [
  "",
  " ",
  long,
  "..",
  "../../etc/passwd",
  "a\u0000b",
  "\ud800",
  "\u202egnp.exe",
  "%00",
  "'; DROP TABLE tenants; --",
  "\ufffe",
  "-1",
  "NaN",
  "1e400",
  "__proto__",
  "null",
  "💾".repeat(40),
];
const oddValues: readonly unknown[] = [
  ...oddTexts,
  null,
  true,
  0,
  -1,
  0.5,
  2 ** 53,
  -(2 ** 63),
  1e308,
  [],
  {},
  nested,
  [null],
  { constructor: { prototype: 1 } },
  Array.from({ length: 3000 }, (_, at) => `item ${at}`),
];

/** One input. `idFor` tells ids of things that there are. */
export function badInput(
  { method, path, parameters, body }: Operation,
  chance: Chance,
  idFor: () => string,
): BadInput {
  let url = path;
  const search = new URLSearchParams();
  const headers: Record<string, string> = {};
  for (const { name, in: where, schema } of parameters) {
    const text = chance() < 0.5 ? textOf(sample(schema, chance, idFor)) : oneOf(chance, oddTexts);
    if (where === "path")
      url = url.replace(`{${name}}`, encoded(chance() < 0.6 ? idFor() : text) || "x");
    else if (where === "query" && chance() < 0.6) search.append(name, text);
    else if (where === "header" && chance() < 0.9)
      headers[name] = oneOf(chance, ['"1"', '"1"', '"2"', "*", "W/x", '"99999999999999999"', "x"]);
  }
  if (chance() < 0.1) search.append("nonsense", "1");
  const query = search.size === 0 ? "" : `?${search.toString()}`;
  if (["GET", "HEAD", "DELETE"].includes(method))
    return { url: `${url}${query}`, body: undefined, headers };
  return { url: `${url}${query}`, ...bodyFor(body, chance, idFor, headers) };
}

function bodyFor(
  schema: Json | undefined,
  chance: Chance,
  idFor: () => string,
  headers: Record<string, string>,
): Pick<BadInput, "body" | "headers"> {
  const dice = chance();
  if (dice < 0.05)
    return { body: oneOf(chance, ["{", "", "[1,]", "nul", '{"a":1}{', "\u{feff}{}"]), headers };
  if (dice < 0.1) {
    const type = oneOf(chance, [
      "text/plain",
      "application/xml",
      "multipart/form-data",
      "nonsense",
    ]);
    return { body: "<a/>", headers: { ...headers, "content-type": type } };
  }
  if (schema === undefined)
    return { body: dice < 0.5 ? undefined : oneOf(chance, oddValues), headers };
  const good = sample(schema, chance, idFor);
  return { body: dice < 0.2 ? good : spoiled(good, chance), headers };
}

/** A value that the schema takes, as far as patterns allow that to be known. */
export function sample(schema: Json, chance: Chance, idFor: () => string, depth = 0): unknown {
  const { type, enum: values, const: only, default: usual } = schema;
  if (only !== undefined) return only;
  if (Array.isArray(values)) return oneOf(chance, values as unknown[]);
  const choices = (schema["oneOf"] ?? schema["anyOf"]) as Json[] | undefined;
  if (choices !== undefined) return sample(oneOf(chance, choices), chance, idFor, depth);
  if (usual !== undefined && chance() < 0.3) return usual;
  switch (Array.isArray(type) ? (type as string[])[0] : type) {
    case "object":
      return sampleObject(schema, chance, idFor, depth);
    case "array": {
      const count = depth > 4 ? 0 : Math.floor(chance() * 3);
      return Array.from({ length: count }, () =>
        sample((schema["items"] ?? {}) as Json, chance, idFor, depth + 1),
      );
    }
    case "integer":
    case "number":
      return Math.max(Number(schema["minimum"] ?? 0), Math.floor(chance() * 100));
    case "boolean":
      return chance() < 0.5;
    case "null":
      return null;
    case "string":
      return chance() < 0.5 ? idFor() : oneOf(chance, ["main", "a", "x-1", "https://a.example/b"]);
    default:
      return oneOf(chance, ["anything", 1, {}]);
  }
}

function sampleObject(schema: Json, chance: Chance, idFor: () => string, depth: number): Json {
  const required = (schema["required"] ?? []) as string[];
  const properties = Object.entries((schema["properties"] ?? {}) as Record<string, Json>);
  return Object.fromEntries(
    properties
      .filter(([name]) => required.includes(name) || chance() < 0.5)
      .map(([name, each]) => [name, sample(each, chance, idFor, depth + 1)]),
  );
}

/** The value with one place put wrong: replaced, left out, or with a field too many. */
function spoiled(value: unknown, chance: Chance): unknown {
  if (typeof value !== "object" || value === null || chance() < 0.15)
    return oneOf(chance, oddValues);
  if (Array.isArray(value)) {
    if (value.length === 0) return [oneOf(chance, oddValues)];
    const at = Math.floor(chance() * value.length);
    return value.map((each, index) => (index === at ? spoiled(each, chance) : (each as unknown)));
  }
  const keys = Object.keys(value);
  const dice = chance();
  if (keys.length === 0 || dice < 0.15)
    return { ...value, [oneOf(chance, oddTexts)]: oneOf(chance, oddValues) };
  const key = oneOf(chance, keys);
  const { [key]: chosen, ...rest } = value as Record<string, unknown>;
  return dice < 0.3 ? rest : { ...rest, [key]: spoiled(chosen, chance) };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** As addresses spell it; what has no spelling is left out. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed().slice(0, 2000)).replaceAll(".", "%2e");
}
