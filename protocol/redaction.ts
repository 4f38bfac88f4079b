/** Takes secrets out of texts that other people will read. */

const mark = "***";
/** A shorter one would take half of every text with it, and protects nothing. */
const charactersMin = 4;

/**
 * A function that puts `***` in the place of each of `secrets`, as they are, as JSON writes them, and as they stand in
 * an address.
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const forms = secrets
    .filter((secret) => secret.length >= charactersMin)
    .flatMap((secret) => [
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret.toWellFormed()),
    ]);
  // The longest first: one secret may be the beginning of another.
  const longestFirst = [...new Set(forms)].sort((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((left, secret) => left.replaceAll(secret, mark), text);
}
