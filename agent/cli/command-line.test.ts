/** Command lines, right and wrong. */
import { describe, expect, it } from "vitest";
import type { CommandEntry } from "./command.ts";
import { parseCommandLine } from "./command-line.ts";
import { commandTable } from "./command-table.ts";
import { readGlobals } from "./global-options.ts";

const parse = async (...args: string[]) => await parseCommandLine(commandTable, args);

async function problemOf(...args: string[]): Promise<string> {
  try {
    await parse(...args);
  } catch (error) {
    expect(error).toMatchObject({ code: "USAGE", exitCode: 1 });
    return (error as Error).message;
  }
  return expect.fail(`${args.join(" ")} was accepted`);
}

describe("options", () => {
  it("of every command may stand before and after its name", async () => {
    const before = await parse("--repo", "/r", "-q", "snapshots", "abc");
    const after = await parse("snapshots", "abc", "-q", "--repo=/r");
    for (const request of [before, after])
      expect(request).toMatchObject({ operands: ["abc"], options: { repo: "/r", quiet: true } });
  });

  it("take the next word as their value, whatever it looks like", async () => {
    const request = await parse("backup", "--exclude", "-r", "--tag", "--json", "dir");
    expect(request).toMatchObject({
      operands: ["dir"],
      options: { exclude: ["-r"], tag: ["--json"] },
    });
    expect(request).not.toHaveProperty("options.json");
  });

  it("end at --", async () => {
    expect(await parse("backup", "--", "--json", "-x")).toMatchObject({
      operands: ["--json", "-x"],
    });
  });

  it("may be repeated", async () => {
    const request = await parse("backup", "-e", "a", "-e", "b", "--tag=x,y", "-vv", "dir");
    expect(request).toMatchObject({ options: { exclude: ["a", "b"], tag: ["x,y"], verbose: 2 } });
    expect(await parse("backup", "--verbose=2", "dir")).toMatchObject({ options: { verbose: 2 } });
  });

  it("of commands of two words are found", async () => {
    expect(await parse("key", "remove", "abc")).toMatchObject({ operands: ["abc"] });
  });
});

describe("a mistake", () => {
  it.each([
    [["backup", "--nope", "dir"], "unknown option '--nope'"],
    [["backup", "--exclud", "x"], "Did you mean --exclude"],
    [["bakcup"], "did you mean: backup"],
    [["zzzzzzzz"], 'there is no command "zzzzzzzz"'],
    [["key", "ad"], "did you mean: key add"],
    [["--repo", "/r"], "a command is missing"],
    [["ls"], "missing required argument"],
    [["diff", "a"], "missing required argument"],
    [["diff", "a", "b", "c"], "too many arguments"],
    [["restore", "latest", "--overwrite", "maybe"], "Allowed choices are always"],
    [["backup", "dir", "--retry-lock", "soon"], "Write it as 90s, 5m or 1h30m"],
    [["backup", "dir", "--time", "yesterday"], "Write it as 2026-03-01 12:00:30"],
    [["backup", "dir", "--limit-upload", "10M"], "whole KiB a second"],
    [["check", "--read-data-subset", "6/5"], "1 <= n <= t"],
    [["check", "--read-data-subset", "much"], "2.5%"],
  ])("%j is explained", async (args, text) => {
    expect(await problemOf(...args)).toContain(text);
  });
});

describe("help", () => {
  it.each([[[]], [["help"]], [["--help"]], [["-h"]]])("of the program for %j", async (args) => {
    const request = await parse(...args);
    const width = Math.max(...commandTable.map(({ name }) => name.length));
    for (const { name, summary } of commandTable)
      expect(request).toMatchObject({
        text: expect.stringContaining(`  ${name.padEnd(width)}  ${summary}`) as string,
        kind: "help",
      });
    expect(request).toMatchObject({ text: expect.stringContaining("--password-file") as string });
  });

  it("of a group lists its commands only", async () => {
    const request = await parse("key");
    expect(request).toMatchObject({ text: expect.stringContaining("key passwd") as string });
    expect(request).not.toMatchObject({ text: expect.stringContaining("snapshots") as string });
  });

  it.each(commandTable.map((entry: CommandEntry) => entry.name))("of %s", async (name) => {
    const words = name.split(" ");
    for (const args of [
      ["help", ...words],
      [...words, "--help"],
      [...words, "-h"],
    ]) {
      const request = await parse(...args);
      expect(request.kind).toBe("help");
      expect(request).toMatchObject({
        text: expect.stringContaining(`Usage: backstay ${name}`) as string,
      });
      expect(request).not.toMatchObject({ text: expect.stringContaining("default:") as string });
    }
  });
});

describe("options of every command", () => {
  const read = (options: object, environment: Record<string, string> = {}) =>
    readGlobals({ cache: true, lock: true, ...options }, environment);

  it("contradict each other in some pairs", () => {
    expect(() => read({ repo: "/r", repositoryFile: "/f" })).toThrow(/--repository-file/);
    expect(() => read({ quiet: true, verbose: 1 })).toThrow(/--verbose/);
  });

  it("fall back to the environment", () => {
    expect(read({}, { BACKSTAY_HOME: "/b" }).cacheRoot).toBe("/b/cache");
    expect(read({ cache: false }, { BACKSTAY_HOME: "/b" }).cacheRoot).toBeUndefined();
    expect(read({ cacheDir: "/c" }, { BACKSTAY_HOME: "/b" }).cacheRoot).toBe("/c");
    expect(read({}, { RESTIC_COMPRESSION: "max" }).compression).toBe("max");
    expect(read({ compression: "off" }, { BACKSTAY_COMPRESSION: "max" }).compression).toBe("off");
    expect(() => read({}, { BACKSTAY_COMPRESSION: "most" })).toThrow(/none of off, fastest/);
  });
});
