import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { readListFile } from "./list-file.ts";

const folder = mkdtempSync(path.join(tmpdir(), "list-file-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("readListFile", () => {
  it("reads a file of any length whole", () => {
    const file = path.join(folder, "long");
    const content = Buffer.from("pattern\n".repeat(30_000));
    writeFileSync(file, content);
    expect(Buffer.compare(readListFile(file, "--exclude-file").content, content)).toBe(0);
  });

  it.each(["missing", "."])("refuses %s with the option and the file", (name) => {
    const file = path.join(folder, name);
    try {
      readListFile(file, "--exclude-file");
    } catch (error) {
      expect(isBackstayError(error, "LIST_UNREADABLE")).toBe(true);
      expect(String(error)).toContain("--exclude-file");
      expect(String(error)).toContain(file);
      return;
    }
    expect.fail("no error");
  });

  it("reads standard input for a dash", () => {
    const module = new URL("list-file.ts", import.meta.url).href;
    const program = `import { readListFile } from ${JSON.stringify(module)};
      process.stdout.write(readListFile("-", "--files-from-raw").content);`;
    const input = Buffer.from("a\0b\0");
    const run = spawnSync(process.execPath, ["--input-type=module", "-e", program], { input });
    expect(run.stderr.toString()).toBe("");
    expect(run.stdout).toEqual(input);
  });
});
