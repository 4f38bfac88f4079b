/** Looks for planted secrets in files and texts where none may be, in every spelling in which one might get there. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** By name; each is at least 8 characters, so that it is not found by chance. */
export type PlantedSecrets = Readonly<Record<string, string>>;

/** Where each secret was found, as lines for people; the secret itself is not in them. */
export function tracesInText(
  secrets: PlantedSecrets,
  place: string,
  text: string | Uint8Array,
): string[] {
  const bytes = Buffer.from(text as Uint8Array);
  return Object.entries(secrets).flatMap(([name, secret]) =>
    spellings(secret)
      .filter(([, needle]) => bytes.includes(needle))
      .map(([spelling]) => `${place}: the ${name}, ${spelling}`),
  );
}

/** The same in every file below a folder, and in their names. `isLeftOut` is asked with paths below the folder. */
export function tracesInFolder(
  secrets: PlantedSecrets,
  folder: string,
  isLeftOut: (file: string) => boolean = () => false,
): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.flatMap((entry) => {
    const file = path.relative(folder, path.join(entry.parentPath, entry.name));
    if (isLeftOut(file)) return [];
    const place = path.join(path.basename(folder), file);
    const inName = tracesInText(secrets, `the name of ${place.length} characters`, file);
    return entry.isFile()
      ? [...inName, ...tracesInText(secrets, place, readFileSync(path.join(folder, file)))]
      : inName;
  });
}

function spellings(secret: string): (readonly [string, Buffer])[] {
  const bytes = Buffer.from(secret);
  const texts: Record<string, string> = {
    "as it is": secret,
    "in hex": bytes.toString("hex"),
    "in a URL": encodeURIComponent(secret),
    "in JSON": JSON.stringify(secret).slice(1, -1),
  };
  // Base64 spells the same bytes in three ways, by where they begin; the first and last characters may hold neighbours.
  for (const [offset, cut] of [
    [0, 0],
    [1, 2],
    [2, 3],
  ])
    for (const encoding of ["base64", "base64url"] as const) {
      const text = Buffer.concat([Buffer.alloc(offset), bytes])
        .toString(encoding)
        .replaceAll("=", "");
      texts[`in ${encoding} from ${offset}`] = text.slice(cut, -2);
    }
  const first = Object.entries(texts).filter(
    ([, text], at, all) => all.findIndex(([, other]) => other === text) === at,
  );
  return first.map(([name, text]) => [name, Buffer.from(text)] as const);
}
