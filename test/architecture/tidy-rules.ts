/** Small rules about every written file: length, name, header, and texts that have a better substitute. */
import { isTestFile } from "./checkout.ts";

/** Most lines of a file that ships, and of a test. A file at the limit is split by concept. */
const linesMax = 450;
const testLinesMax = 700;

interface BannedText {
  readonly text: RegExp;
  /** What to do instead. */
  readonly instead: string;
  /** True if tests may have it, as sample data. */
  readonly isFineInTests?: boolean;
}

// Written in pieces, so that this table does not find itself.
const bannedTexts: readonly BannedText[] = [
  { text: /\b(?:it|test|describe|suite)\.on[l]y\b/, instead: "run the one test by name" },
  { text: /\b(?:TO)DO\b|\bFIX(?:ME)\b|\bXX[X]\b/, instead: "do it now, or open an issue" },
  { text: /@ts-ig[n]ore|@ts-nochec[k]/, instead: "fix the type, or @ts-expect-error and why" },
  { text: /oxlint-disabl[e](?!-next-line \S+ -- \S)/, instead: "disable one line and say why" },
  { text: /\bblack ?lis[t]/i, instead: "deny list" },
  { text: /\bwhite ?lis[t]/i, instead: "allow list" },
  { text: /\bsanity[ -]chec[k]/i, instead: "check" },
  { text: /\butili[sz][e]/i, instead: "use" },
  {
    text: /(?<![\w.~])\/(?:hom[e]|User[s])\/\w/,
    instead: "a path that exists on every machine",
    isFineInTests: true,
  },
  { text: /(?<![\w.~-])\/(?:wor[k]|roo[t])\/\w/, instead: "a path that exists on every machine" },
  { text: /[A-Z]:\\+User[s]\\/, instead: "a path that exists on every machine" },
  { text: /registry\.npmj[s]|\/\/registr[y]\./, instead: "no host: the user's npm knows its own" },
];

const bannedNames = /(?:^|[/-])(?:utils?|helpers?|managers?|common|misc|index|types)\.(?:ts|mjs)$/;
const bannedFolders = /(?:^|\/)(?:utils?|helpers?|common|misc|core|lib|services?)\//;

/** What is wrong with one written file, as lines for people. */
export function untidiness(file: string, text: string): string[] {
  const found: string[] = [];
  const lines = text.split("\n");
  const isCode = /\.(?:ts|mjs)$/.test(file);
  if (isCode) {
    const limit = isTestFile(file) ? testLinesMax : linesMax;
    if (lines.length - 1 > limit)
      found.push(`${file}: ${lines.length - 1} lines, most is ${limit}`);
    const needsHeader = !file.endsWith(".test.ts"); // What a test is for, its names say.
    if (needsHeader && !/^(?:#!.*\n)?\/(?:\*\*|\/) ?\S?/.test(text))
      found.push(`${file}: begin with a comment that says what the file is for`);
    if (bannedNames.test(file)) found.push(`${file}: name the file for the one concept it holds`);
    if (bannedFolders.test(file)) found.push(`${file}: name the folder for what it is about`);
  }
  for (const [number, line] of lines.entries())
    for (const { text: banned, instead, isFineInTests } of bannedTexts) {
      if (isFineInTests === true && isTestFile(file)) continue;
      const match = banned.exec(line);
      if (match !== null) found.push(`${file}:${number + 1}: "${match[0]}": instead ${instead}`);
    }
  if (text !== "" && !text.endsWith("\n")) found.push(`${file}: end the file with a line feed`);
  if (text.includes("\r")) found.push(`${file}: end lines with a line feed alone`);
  return found;
}
