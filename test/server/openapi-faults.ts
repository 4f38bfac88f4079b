/** What keeps a description from being valid OpenAPI 3.1, as lines for people. */
const types = ["null", "boolean", "object", "array", "number", "integer", "string"];
const methods = ["get", "put", "post", "delete", "patch", "head", "options", "trace"];
const places = ["path", "query", "header", "cookie"];

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function objectAt(value: unknown, key: string): Json {
  const found = isObject(value) ? value[key] : undefined;
  return isObject(found) ? found : {};
}

export function openApiFaults(description: unknown): string[] {
  const faults: string[] = [];
  if (!isObject(description)) return ["it is no object"];
  if (!/^3\.1\.\d+$/.test(String(description["openapi"]))) faults.push("openapi is not 3.1");
  const { title, version } = objectAt(description, "info");
  if (typeof title !== "string" || typeof version !== "string") faults.push("info lacks something");
  const schemes = objectAt(objectAt(description, "components"), "securitySchemes");
  for (const [path, item] of Object.entries(objectAt(description, "paths"))) {
    if (!path.startsWith("/")) faults.push(`${path}: begins with no slash`);
    for (const [method, operation] of Object.entries(isObject(item) ? item : {})) {
      const place = `${method} ${path}`;
      if (methods.includes(method) && isObject(operation))
        faults.push(...operationFaults(place, path, operation, schemes));
      else faults.push(`${place}: is no operation`);
    }
  }
  faults.push(...referenceFaults(description, description));
  return faults;
}

function operationFaults(place: string, path: string, operation: Json, schemes: Json): string[] {
  const faults: string[] = [];
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).toSorted();
  const declared: string[] = [];
  const seen = new Set<string>();
  for (const parameter of asList(operation["parameters"])) {
    const { name, in: where, required, schema } = parameter;
    const about = `${place}, parameter ${String(name)}`;
    if (typeof name !== "string" || !places.includes(String(where)))
      faults.push(`${about}: is none`);
    if (seen.has(`${String(where)} ${String(name)}`)) faults.push(`${about}: stands there twice`);
    seen.add(`${String(where)} ${String(name)}`);
    if (where === "path") {
      declared.push(String(name));
      if (required !== true) faults.push(`${about}: is in the path and not required`);
    }
    if (!isObject(schema)) faults.push(`${about}: has no schema`);
    faults.push(...schemaFaults(about, schema));
  }
  if (JSON.stringify(inPath) !== JSON.stringify(declared.toSorted()))
    faults.push(`${place}: its path and its parameters differ`);
  for (const [scheme] of asList(operation["security"]).flatMap((each) => Object.entries(each)))
    if (!(scheme in schemes)) faults.push(`${place}: knows no security scheme ${scheme}`);
  const responses = Object.entries(objectAt(operation, "responses"));
  if (responses.length === 0) faults.push(`${place}: has no responses`);
  for (const [status, response] of responses) {
    const about = `${place}, response ${status}`;
    if (!/^(?:[1-5]\d\d|[1-5]XX|default)$/.test(status)) faults.push(`${about}: is no status`);
    if (!isObject(response)) faults.push(`${about}: is none`);
    else if (!("$ref" in response) && typeof response["description"] !== "string")
      faults.push(`${about}: has no description`);
    faults.push(...contentFaults(about, response));
  }
  faults.push(...contentFaults(`${place}, body`, operation["requestBody"]));
  return faults;
}

function contentFaults(place: string, holder: unknown): string[] {
  return Object.entries(objectAt(holder, "content")).flatMap(([type, media]) =>
    /^[\w.+*-]+\/[\w.+*-]+$/.test(type)
      ? schemaFaults(place, objectAt(media, "schema"))
      : [`${place}: ${type} is no media type`],
  );
}

/** By JSON Schema 2020-12, as far as zod writes it. */
function schemaFaults(place: string, schema: unknown): string[] {
  if (typeof schema === "boolean") return [];
  if (!isObject(schema)) return [`${place}: is no schema`];
  const faults: string[] = [];
  const { type, required, pattern, enum: values } = schema;
  if (type !== undefined && !flat(type).every((each) => types.includes(String(each))))
    faults.push(`${place}: knows no type ${JSON.stringify(type)}`);
  if ("nullable" in schema) faults.push(`${place}: nullable is of OpenAPI 3.0`);
  if (values !== undefined && !(Array.isArray(values) && values.length > 0))
    faults.push(`${place}: an enum without values`);
  const properties = objectAt(schema, "properties");
  for (const name of required === undefined ? [] : flat(required))
    if (schema["additionalProperties"] === false && !Object.hasOwn(properties, String(name)))
      faults.push(`${place}: ${String(name)} is required and not there`);
  if (pattern !== undefined && !isPattern(pattern)) faults.push(`${place}: a pattern that is none`);
  for (const [name, property] of Object.entries(properties))
    faults.push(...schemaFaults(`${place}.${name}`, property));
  for (const key of ["items", "additionalProperties", "propertyNames", "not"])
    if (key in schema) faults.push(...schemaFaults(`${place}/${key}`, schema[key]));
  for (const key of ["oneOf", "anyOf", "allOf", "prefixItems"])
    for (const [at, each] of asList(schema[key]).entries())
      faults.push(...schemaFaults(`${place}/${key}[${at}]`, each));
  return faults;
}

/** Each `$ref` must lead somewhere. */
function referenceFaults(root: Json, value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap((each) => referenceFaults(root, each));
  if (!isObject(value)) return [];
  const { $ref } = value;
  if (typeof $ref === "string") {
    let target: unknown = root;
    for (const step of $ref.replace(/^#\//, "").split("/"))
      target = isObject(target) ? target[step] : undefined;
    if (!$ref.startsWith("#/") || target === undefined) return [`${$ref} leads nowhere`];
  }
  return Object.values(value).flatMap((each) => referenceFaults(root, each));
}

function isPattern(pattern: unknown): boolean {
  try {
    return typeof pattern === "string" && new RegExp(pattern, "u").source !== "";
  } catch {
    return false;
  }
}

function flat(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function asList(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
