/** What goes wrong has restic's exit codes, and says what to do. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliScene, password } from "./cli-scene.ts";

let scene: CliScene;
beforeAll(async () => {
  scene = new CliScene();
  await scene.init();
  await scene.backUp();
});
afterAll(() => scene.remove());

const remedyLine = /^ {2}[A-Z].*\.$/m;

describe("exit codes", () => {
  it.each<[number, string, string[], RegExp]>([
    [1, "an unknown option", ["backup", "--nope"], /unknown option '--nope'/],
    [1, "an unknown command", ["restor"], /did you mean: restore/],
    [1, "an unknown snapshot", ["ls", "abcdef00"], /No snapshot matches\. \(snapshot: abcdef00\)/],
    [1, "a path that a snapshot lacks", ["ls", "latest", "/nowhere"], /path: \/nowhere/],
    [1, "nothing to back up", ["backup"], /at least one path/],
    [1, "a source that does not exist", ["backup", "/does/not/exist"], /Nothing of the source/],
    [1, "no target", ["restore", "latest"], /--target/],
    [1, "two snapshots of which one is unknown", ["diff", "latest", "beef"], /snapshot: beef/],
    [1, "a second creation", ["init"], /already a repository/],
    [1, "a key that is not there", ["key", "remove", "00"], /key: 00/],
    [10, "no repository", ["--repo", "/does/not/exist", "snapshots"], /no repository/],
  ])("%d for %s", async (exitCode, _what, args, text) => {
    const outcome = await scene.start(args, { BACKSTAY_PASSWORD: password });
    expect(outcome).toMatchObject({ exitCode, stdout: "" });
    expect(outcome.stderr).toMatch(text);
    expect(outcome.stderr).toMatch(/^error: /);
    expect(outcome.stderr).toMatch(remedyLine);
  });

  it("12 for a wrong password, which is never shown", async () => {
    for (const command of [["snapshots"], ["backup", scene.source], ["check"]]) {
      const outcome = await scene.start(command, { BACKSTAY_PASSWORD: "wr0ng secret" });
      expect(outcome).toMatchObject({ exitCode: 12, stdout: "" });
      expect(outcome.stderr).toMatch(remedyLine);
      expect(outcome.stderr).not.toContain("wr0ng secret");
    }
  });

  it("1 for a missing password, and for no repository at all", async () => {
    const missing = await scene.start(["snapshots"], {});
    expect(missing).toMatchObject({ exitCode: 1 });
    expect(missing.stderr).toContain("--password-file");
    const unnamed = await scene.start(["snapshots"], {
      BACKSTAY_REPOSITORY: "",
      BACKSTAY_PASSWORD: password,
    });
    expect(unnamed).toMatchObject({ exitCode: 1 });
    expect(unnamed.stderr).toContain("BACKSTAY_REPOSITORY");
  });

  it("a folder that holds no repository stays as it is", async () => {
    mkdirSync(scene.at("other"));
    writeFileSync(scene.at("other", "file"), "x");
    const place = { BACKSTAY_REPOSITORY: scene.at("other"), BACKSTAY_PASSWORD: password };
    expect(await scene.start(["backup", scene.source], place)).toMatchObject({ exitCode: 10 });
    expect(readdirSync(scene.at("other"))).toEqual(["file"]);
  });
});

it("with --json a failure is restic's exit_error on stderr", async () => {
  const given = { BACKSTAY_PASSWORD: password };
  const seen = [
    await scene.start(["--json", "ls", "abcdef00"], given),
    await scene.start(["snapshots", "--json"], { BACKSTAY_PASSWORD: "wrong" }),
    await scene.start(["snapshots", "--jsn", "--json"], given),
  ];
  const messages = seen.map(({ stderr }) => JSON.parse(stderr) as object);
  expect(messages).toMatchObject([
    { message_type: "exit_error", code: 1, error_code: "SNAPSHOT_NOT_FOUND" },
    { message_type: "exit_error", code: 12, error_code: "WRONG_PASSWORD" },
    { message_type: "exit_error", code: 1, error_code: "USAGE" },
  ]);
  expect(seen.map(({ stdout }) => stdout)).toEqual(["", "", ""]);
});

it("help and version need no repository", async () => {
  const empty = { BACKSTAY_REPOSITORY: "" };
  const version = await scene.start(["version", "--json"], empty);
  expect(JSON.parse(version.stdout)).toMatchObject({ message_type: "version", version: "0.1.0" });
  expect((await scene.start(["--version"], empty)).stdout).toMatch(/^backstay 0\.1\.0 /);
  const help = await scene.start(["help", "restore"], empty);
  expect(help).toMatchObject({ exitCode: 0, stderr: "" });
  expect(help.stdout).toContain("--target <dir>");
  expect(help.stdout).toContain("Examples:");
});

it("names in errors and lists of a terminal can't play with it", async () => {
  const outcome = await scene.start(["ls", "latest", "/\u001b[2Jevil"], {
    BACKSTAY_PASSWORD: password,
  });
  expect(outcome.stderr).toContain("\\x1b[2Jevil");
  expect(outcome.stderr).not.toContain("\u001b");
});
