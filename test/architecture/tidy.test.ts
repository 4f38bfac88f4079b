/** Every written file keeps the small rules; and the rules are seen to find what is seeded. */
import { expect, it } from "vitest";
import { readText, writtenFiles } from "./checkout.ts";
import { untidiness } from "./tidy-rules.ts";

it("every written file is tidy", () => {
  const files = writtenFiles();
  expect(files).toEqual(expect.arrayContaining(["README.md", ".ci/run", "agent/bin/backstay"]));
  expect(files.length).toBeGreaterThan(60);
  expect(files.flatMap((file) => untidiness(file, readText(file)))).toEqual([]);
});

it("the lockfile and npm's settings name no registry", () => {
  const { packages } = JSON.parse(readText("package-lock.json")) as { packages: object };
  expect(Object.keys(packages).length).toBeGreaterThan(50);
  const withPlace = Object.entries(packages).filter(([, entry]) => "resolved" in entry);
  expect(withPlace.map(([place]) => place)).toEqual([]);
  expect(readText(".npmrc")).not.toMatch(/^registry|:\/\//m);
});

it.each([
  ["a long file", `/** x */\n${"1;\n".repeat(450)}`, "a.ts: 451 lines, most is 450"],
  [
    "no header",
    "export const a = 1;\n",
    "a.ts: begin with a comment that says what the file is for",
  ],
  [
    "one test alone",
    `// x\nit.${"only"}("a");\n`,
    `a.ts:2: "it.${"only"}": instead run the one test by name`,
  ],
  ["an open task", `// x ${"TO"}DO\n`, `a.ts:1: "${"TO"}DO": instead do it now, or open an issue`],
  [
    "a path of one machine",
    `// x\nconst a = "/${"home"}/ann/x";\n`,
    `a.ts:2: "/${"home"}/a": instead a path that exists on every machine`,
  ],
  ["a last line without end", "// x", "a.ts: end the file with a line feed"],
])("%s is found", (_what, text, message) => {
  expect(untidiness("a.ts", text)).toEqual([message]);
});

it("a file or folder named for nothing is found", () => {
  expect(untidiness("agent/file-utils.ts", "// x\n")).toHaveLength(1);
  expect(untidiness("agent/helpers/file.ts", "// x\n")).toHaveLength(1);
  expect(untidiness("agent/repository/index/index-file.ts", "// x\n")).toEqual([]);
});
