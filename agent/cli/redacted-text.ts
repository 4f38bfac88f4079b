/**
 * Takes secrets out of texts and JSON that leave the machine. The second line of defence: nothing that goes into a bundle
 * should hold any. Rather too much is taken out than too little. Pure.
 */

const removed = "(removed)";

/** Names of fields and variables whose value is a secret, or leads to one. */
const secretName =
  /pass(?:word|phrase|wd)?|secret|token|credential|authorization|cookie|(?:private|api|access|account|master|session)[-_]?key|signature|^key$|^sig$/i;

const textPatterns: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [^-]*PRIVATE KEY-----[\s\S]*?(?:-----END [^-]*PRIVATE KEY-----|$)/g, removed],
  // What stands before the @ of an address, and everything that its query says.
  [/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@"']+@/gi, `$1${removed}@`],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s?"']+\?)[^\s"']+/gi, `$1${removed}`],
  [/\b(Bearer|Basic|Digest)\s+[\w.~+/=-]{6,}/gi, `$1 ${removed}`],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, removed],
  [/\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g, removed],
  [
    /((?:pass(?:word|phrase|wd)?|secret|token|credential|(?:private|api|access|account|master|session)[-_]?key)[\w-]*["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;"'}]+)/gi,
    `$1${removed}`,
  ],
];

/** The text without what looks like a secret. */
export function redactedText(text: string): string {
  let result = text;
  for (const [pattern, substitute] of textPatterns) result = result.replace(pattern, substitute);
  return result;
}

/** The same for a JSON value: by the names of fields, and in every text. Addresses that are known to open doors go too. */
export function redactedJson(value: unknown): unknown {
  if (typeof value === "string") return redactedText(value);
  if (Array.isArray(value)) return value.map(redactedJson);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]: [string, unknown]) => [
      name,
      isSecretField(name, inner) ? removed : redactedJson(inner),
    ]),
  );
}

/** Numbers and yes or no are no secrets: `passwordTries: 3`. */
function isSecretField(name: string, value: unknown): boolean {
  return typeof value === "string" && secretName.test(name);
}
