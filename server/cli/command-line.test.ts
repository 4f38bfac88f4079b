import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { errorCatalog } from "../../protocol/error-catalog.ts";
import { parseCommandLine } from "./command-line.ts";
import { nounTable } from "./noun-table.ts";
import type { Verb } from "./verb.ts";

const usage = (problem: RegExp) =>
  expect.toSatisfy((error) => isBackstayError(error, "USAGE") && problem.test(error.message));

/** The arguments of each `backstay-server` in a line as people type it. */
function commandsIn(line: string): string[][] {
  return line
    .replace(/ {2,}\(.*\)$/, "")
    .split(" | ")
    .flatMap((part) => {
      const at = part.indexOf("backstay-server ");
      if (at < 0) return [];
      const words =
        part
          .slice(at)
          .split(" > ")[0]
          .match(/'[^']*'|\S+/g) ?? [];
      return [words.slice(1).map((word) => word.replaceAll("'", ""))];
    });
}

it.each(nounTable)("$name: has help, and examples that are right", async ({ name, load }) => {
  const noun = await load();
  const verbs: readonly Verb[] = Array.isArray(noun) ? noun : [noun as Verb];
  expect(new Set(verbs.map((verb) => verb.name)).size).toBe(verbs.length);
  const help = await parseCommandLine(nounTable, ["help", name]);
  for (const verb of verbs) {
    const words = Array.isArray(noun) ? [name, verb.name] : [name];
    const own = await parseCommandLine(nounTable, [...words, "--help"]);
    expect(own).toMatchObject({ kind: "help", text: expect.stringContaining("Examples:") });
    if (Array.isArray(noun))
      expect(help).toMatchObject({ text: expect.stringContaining(verb.summary) });
    expect(verb.examples.length).toBeGreaterThan(0);
    for (const line of verb.examples) {
      const commands = commandsIn(line);
      expect(commands.length, line).toBeGreaterThan(0);
      const parsed = await Promise.all(
        commands.map(async (args) => await parseCommandLine(nounTable, args)),
      );
      expect(parsed.some((each) => each.kind === "run" && each.verb.name === verb.name)).toBe(true);
    }
  }
});

it("lists all commands, and tells the version", async () => {
  for (const args of [[], ["help"], ["--help"]]) {
    const help = await parseCommandLine(nounTable, args);
    for (const { name } of nounTable)
      expect(help).toMatchObject({ text: expect.stringContaining(`\n  ${name} `) });
  }
  expect(await parseCommandLine(nounTable, ["--version"])).toMatchObject({
    text: expect.stringMatching(/^\d+\.\d+\.\d+/),
  });
});

it("takes --json before the command too", async () => {
  const given = await parseCommandLine(nounTable, ["--json", "tenant", "list"]);
  expect(given).toMatchObject({ kind: "run", options: { json: true } });
});

it("takes `add` for the verb that makes a thing, where none is called so", async () => {
  for (const noun of ["repository", "tenant"]) {
    const given = await parseCommandLine(nounTable, [noun, "add", "new"]);
    expect(given).toMatchObject({ kind: "run", operands: ["new"], verb: { name: "create" } });
  }
});

it.each([
  [["nonsense"], /there is no command "nonsense"/],
  [["tenant", "nonsense"], /there is no command "tenant nonsense"/],
  [["tenant", "list", "--nonsense"], /unknown option '--nonsense'/],
  [["tenant", "show"], /missing required argument 'tenant'/],
  [["tenant", "show", "a", "b"], /too many arguments/],
  [["apply"], /required option '-f, --file <file>' not specified/],
])("refuses %j", async (args, problem) => {
  await expect(parseCommandLine(nounTable, args)).rejects.toEqual(usage(problem));
});

it("has every command that errors and pages name", async () => {
  const docs = new URL("../../docs/", import.meta.url);
  const pages = readdirSync(docs).filter((name) => name.endsWith(".md"));
  const texts = pages.map((name) => [name, readFileSync(new URL(name, docs), "utf8")] as const);
  for (const [code, { remedy }] of Object.entries(errorCatalog)) texts.push([code, remedy]);
  let count = 0;
  for (const [place, text] of texts)
    for (const [whole, first, second] of text.matchAll(
      /(?:`|^[ $]*)backstay-server ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?/gm,
    )) {
      if (first === "help") continue;
      const entry = nounTable.find(({ name }) => name === first);
      expect(entry, `${place}: ${whole}`).toBeDefined();
      const noun = await entry?.load();
      if (!Array.isArray(noun)) continue;
      const verbs = (noun as readonly Verb[]).map(({ name }) => name);
      if (second !== undefined) expect(verbs, `${place}: ${whole}`).toContain(second);
      count += 1;
    }
  expect(count).toBeGreaterThan(20);
});
