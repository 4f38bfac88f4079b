/** What a line of the server's log may say besides its text: a closed list, so that no secret gets there by a new field. */

/** Names of things, numbers and codes; never a body, a header, an address with an account, or anything sealed. */
const kinds: Readonly<Record<string, "string" | "number">> = {
  tenant: "string",
  agent: "string",
  group: "string",
  policy: "string",
  repository: "string",
  command: "string",
  token: "string",
  report: "string",
  actor: "string",
  action: "string",
  target: "string",
  task: "string",
  code: "string",
  problem: "string",
  outcome: "string",
  route: "string",
  method: "string",
  request: "string",
  address: "string",
  url: "string",
  path: "string",
  pin: "string",
  version: "string",
  stack: "string",
  status: "number",
  count: "number",
  serial: "number",
  revision: "number",
  sizeBytes: "number",
  durationMs: "number",
  processId: "number",
};

const textCharactersMax = 4000;

/** What secrets look like wherever they stand: accounts in addresses, our tokens, signed things, bearer tokens. */
const secretForms: readonly RegExp[] = [
  /(?<=\/\/[^/\s:@]{0,200}:)[^/\s@]{1,500}(?=@)/g,
  /\b(?:bks_[\w-]+_|bk1_)[\w-]+/g,
  /\beyJ[\w-]+(?:\.[\w-]*)+/g,
  /(?<=\b(?:Bearer|Basic|Backstay)\s)\S+/gi,
];

/** A text as the log may have it: not endless, and without what looks like a secret. */
export function loggedText(text: string): string {
  const short = text.length > textCharactersMax ? `${text.slice(0, textCharactersMax)}…` : text;
  return secretForms.reduce((left, form) => left.replaceAll(form, "***"), short);
}

/** Only fields of the list, of the right kind. */
export function loggedFields(
  given: Readonly<Record<string, unknown>>,
): Record<string, string | number> {
  const kept: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(given)) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === "number" && typeof value === "number") kept[name] = value;
    if (kind === "string" && typeof value === "string") kept[name] = loggedText(value);
  }
  return kept;
}
