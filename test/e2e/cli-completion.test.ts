/** Completion scripts, in the shells themselves. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backstayPath } from "./cli-scene.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-completion-"));
  mkdirSync(path.join(folder, "some folder"));
  writeFileSync(path.join(folder, "some-file"), "");
  for (const shell of ["bash", "zsh", "fish"]) {
    const { stdout, status } = spawnSync(backstayPath, ["completion", shell], { encoding: "utf8" });
    if (status !== 0) throw new Error(`completion ${shell} ended with ${status}`);
    writeFileSync(path.join(folder, shell), stdout);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hasShell = (shell: string): boolean => spawnSync(shell, ["-c", "true"]).status === 0;

/** What bash would offer after these words; the last one is being typed. */
function offered(...words: string[]): string[] {
  const script = `
    compopt() { :; }
    source '${path.join(folder, "bash")}'
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    _backstay
    printf '%s\\n' "\${COMPREPLY[@]}"
  `;
  const { stdout, stderr } = spawnSync("bash", ["-c", script, "bash", "backstay", ...words], {
    encoding: "utf8",
    cwd: folder,
  });
  expect(stderr).toBe("");
  return stdout.split("\n").filter((line) => line !== "");
}

describe.runIf(hasShell("bash"))("bash offers", () => {
  it("commands", () => {
    expect(offered("")).toEqual(expect.arrayContaining(["backup", "restore", "key", "help"]));
    expect(offered("rest")).toEqual(["restore"]);
    expect(offered("--repo", "somewhere", "snap")).toEqual(["snapshots"]);
    expect(offered("key", "")).toEqual(["list", "add", "remove", "passwd"]);
    expect(offered("help", "b")).toEqual(["backup"]);
  });

  it("the options of a command and of every command", () => {
    expect(offered("backup", "--exclude-c")).toEqual(["--exclude-caches"]);
    expect(offered("key", "add", "--new-p")).toEqual(["--new-password-file"]);
    expect(offered("restore", "latest", "--js")).toEqual(["--json"]);
    expect(offered("snapshots", "--exclude")).toEqual([]);
  });

  it("the values of an option", () => {
    expect(offered("backup", "--compression", "")).toEqual([
      "off",
      "fastest",
      "auto",
      "better",
      "max",
    ]);
    expect(offered("stats", "--mode", "raw")).toEqual(["raw-data"]);
    expect(offered("backup", "--tag", "")).toEqual([]);
  });

  it("files where files belong", () => {
    expect(offered("backup", "some").toSorted()).toEqual(["some folder", "some-file"]);
    expect(offered("backup", "--password-file", "some-")).toEqual(["some-file"]);
    expect(offered("ls", "latest", "some")).toEqual([]);
  });
});

it.each(["bash", "zsh", "fish"])("%s takes its script", (shell) => {
  if (!hasShell(shell)) return expect(shell).not.toBe("bash");
  const check = spawnSync(shell, ["-n", path.join(folder, shell)], { encoding: "utf8" });
  expect(check).toMatchObject({ status: 0, stderr: "" });
});

it("an unknown shell is refused", () => {
  const { status, stderr } = spawnSync(backstayPath, ["completion", "tcsh"], { encoding: "utf8" });
  expect(status).toBe(1);
  expect(stderr).toContain("bash, zsh, fish");
});
