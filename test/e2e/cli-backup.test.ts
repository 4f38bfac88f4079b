/** Backups from the command line: messages, summaries, issues, lists of files. */
import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Message } from "../programs.ts";
import { CliScene, password } from "./cli-scene.ts";

let scene: CliScene;
beforeAll(async () => {
  scene = new CliScene();
  await scene.init();
});
afterAll(() => scene.remove());

async function pathsIn(snapshot: string): Promise<string[]> {
  const messages = await scene.backstay.messages("ls", snapshot);
  return messages.flatMap((message) =>
    message["message_type"] === "node" && message["type"] !== "dir"
      ? [String(message["path"])]
      : [],
  );
}

describe("with --json", () => {
  it("a backup ends with restic's summary", async () => {
    const summary = await scene.backstay.message("summary", "backup", scene.source);
    expect(summary).toMatchObject({
      files_new: 6,
      files_changed: 0,
      files_unmodified: 0,
      dirs_changed: 0,
      dirs_unmodified: 0,
      total_files_processed: 6,
      total_bytes_processed: 300_010,
      snapshot_id: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    for (const key of ["dirs_new", "data_blobs", "tree_blobs", "data_added", "data_added_packed"])
      expect(summary[key], key).toBeGreaterThan(0);
    expect(Date.parse(String(summary["backup_end"]))).toBeGreaterThanOrEqual(
      Date.parse(String(summary["backup_start"])),
    );
    expect(summary).not.toHaveProperty("dry_run");
    const again = await scene.backstay.message("summary", "backup", scene.source);
    // Others write to the folders above, which are in the snapshot too: trees may be new.
    expect(again).toMatchObject({
      files_new: 0,
      files_unmodified: 6,
      data_blobs: 0,
      bytes_read: 0,
    });
  });

  it("every line of stdout is one message of a known type", async () => {
    const messages = await scene.backstay.messages("backup", scene.source, "--force", "-vv");
    const types = new Set(messages.map((message) => message["message_type"]));
    expect([...types].filter((type) => type !== "status" && type !== "verbose_status")).toEqual([
      "summary",
    ]);
    for (const status of messages.filter((message) => message["message_type"] === "status"))
      expect(status["percent_done"]).toBeGreaterThanOrEqual(0);
  });
});

it("for people a backup ends with counts and the snapshot's id, unless it is to be quiet", async () => {
  const { stdout, stderr } = await scene.backstay.succeed("backup", scene.source);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^Files: {11}0 new, {5}0 changed, {5}6 unmodified$/m);
  expect(stdout).toMatch(/^Added to the repository: \d+.* \(\d+.* stored\)$/m);
  expect(stdout).toMatch(/^processed 6 files, 292\.979 KiB in \d+:\d\d$/m);
  expect(stdout).toMatch(/^snapshot [0-9a-f]{8} saved$/m);
  expect(await scene.backstay.succeed("backup", scene.source, "--quiet")).toMatchObject({
    stdout: "",
    stderr: "",
  });
});

it.runIf(existsSync("/proc/self/mem"))(
  "what can't be read is named, counted, and ends with 3; the rest is saved",
  async () => {
    const args = ["backup", "/proc/self/mem", scene.source];
    const { exitCode, stdout, stderr } = await scene.backstay.run(...args, "--json");
    expect(exitCode).toBe(3);
    const told = stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Message);
    expect(told).toMatchObject([
      { message_type: "error", during: "archival", error: {} },
      { message_type: "exit_error", code: 3, error_code: "SOURCE_UNREADABLE" },
    ]);
    expect(told[0]["item"]).toMatch(/\/mem$/);
    const summary = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Message;
    expect(summary).toMatchObject({ message_type: "summary", total_files_processed: 6 });
    const text = await scene.backstay.run(...args);
    expect(text).toMatchObject({ exitCode: 3 });
    expect(text.stderr).toMatch(/^error: .*\/mem: /);
    expect(text.stdout).toMatch(/^snapshot [0-9a-f]{8} saved$/m);
  },
);

describe("options", () => {
  it("a dry run stores nothing", async () => {
    const before = readdirSync(path.join(scene.repository, "snapshots"));
    const summary = await scene.backstay.message("summary", "backup", scene.source, "-n", "-f");
    expect(summary).toMatchObject({ dry_run: true, files_new: 6 });
    expect(summary).not.toHaveProperty("snapshot_id");
    expect(readdirSync(path.join(scene.repository, "snapshots"))).toEqual(before);
  });

  it("tags, host and time are the snapshot's", async () => {
    const id = await scene.backUp(
      "--tag",
      "a,b",
      "--tag",
      "c",
      "-H",
      "elsewhere",
      "--time",
      "2020-02-03 04:05:06",
    );
    const [snapshot] = await scene.backstay.messages("snapshots", id);
    expect(snapshot).toMatchObject({
      tags: ["a", "b", "c"],
      hostname: "elsewhere",
      time: "2020-02-03T04:05:06Z",
      paths: [scene.source],
    });
  });

  it("an unchanged source can be skipped", async () => {
    // A relative path: the folders above, which others write to, are then not in the snapshot.
    const args = ["backup", "source", "--skip-if-unchanged", "--json"];
    const given = { BACKSTAY_PASSWORD: password };
    const first = await scene.start(args, given);
    expect(first.stdout).toContain('"snapshot_id"');
    const second = await scene.start(args, given);
    expect(second).toMatchObject({ exitCode: 0 });
    expect(second.stdout).not.toContain('"snapshot_id"');
  });

  it("a parent can be chosen, and none", async () => {
    const first = await scene.backUp("--host", "first");
    const told = async (...args: string[]): Promise<unknown> =>
      (await scene.backstay.message("summary", "backup", scene.source, "-H", "other", ...args))[
        "files_unmodified"
      ];
    expect(await told("--parent", first.slice(0, 16))).toBe(6);
    expect(await told("--force")).toBe(0);
  });

  it("excludes leave out what they match", async () => {
    writeFileSync(scene.at("excludes"), "# a comment\n*.txt\n");
    const id = await scene.backUp(
      "--exclude-file",
      scene.at("excludes"),
      "--iexclude",
      "TWO.*",
      "--exclude-larger-than",
      "100K",
      "-e",
      "new*",
    );
    const names = (await pathsIn(id)).map((each) => path.basename(each));
    expect(names.toSorted()).toEqual(["byte\ufffd", "empty", "link"]);
    const [snapshot] = await scene.backstay.messages("snapshots", id);
    expect(snapshot["excludes"]).toEqual(["new*", "*.txt"]);
  });

  it("paths come from lists, and from standard input", async () => {
    writeFileSync(scene.at("list"), `# comment\n${scene.source}/docs/*.txt\n`);
    writeFileSync(scene.at("verbatim"), `${scene.source}/empty\n`);
    const raw = Buffer.concat([Buffer.from(`${scene.source}/byte`), Uint8Array.of(0xff, 0)]);
    const args = ["backup", "--json", "--files-from", "list", "--files-from-verbatim", "verbatim"];
    const { exitCode, stdout } = await scene.start(
      [...args, "--files-from-raw", "-"],
      { BACKSTAY_PASSWORD: password },
      (child) => child.stdin.end(raw),
    );
    expect(exitCode).toBe(0);
    const summary = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Message;
    const names = (await pathsIn(String(summary["snapshot_id"]))).map((each) =>
      path.basename(each),
    );
    expect(names.toSorted()).toEqual(["byte\ufffd", "empty", "one.txt"]);
  });

  it("a list that is missing or empty is no backup of nothing", async () => {
    writeFileSync(scene.at("nothing"), "\n# nothing\n");
    expect((await scene.backstay.run("backup", "--files-from", scene.at("nothing"))).exitCode).toBe(
      1,
    );
    expect((await scene.backstay.run("backup", "--files-from", scene.at("absent"))).exitCode).toBe(
      1,
    );
  });

  it("the repository and the cache never go into a backup", async () => {
    mkdirSync(scene.at("home", "cache"), { recursive: true });
    const { stderr } = await scene.backstay.succeed("backup", scene.folder);
    expect(stderr).toContain(`note: ${scene.repository}: left out: it is Backstay's own`);
    expect((await scene.backstay.succeed("backup", scene.folder, "--quiet")).stderr).toBe("");
    const told = await scene.backstay.succeed("backup", scene.folder, "--json");
    expect(told.stderr.split("\n")[0]).toContain('"message_type":"omission"');
    const id = String(
      (await scene.backstay.message("summary", "backup", scene.folder))["snapshot_id"],
    );
    const inside = (await pathsIn(id)).filter((each) =>
      [scene.repository, scene.at("cache")].some((own) => each.startsWith(`${own}/`)),
    );
    expect(inside).toEqual([]);
  });
});

it("warns if the last restore point is gone from the repository", async () => {
  const id = await scene.backUp();
  rmSync(path.join(scene.repository, "snapshots", id));
  const { stderr } = await scene.backstay.succeed("backup", scene.source, "--json");
  expect(JSON.parse(stderr)).toMatchObject({ message_type: "warning", item: `snapshots/${id}` });
  expect((await scene.backstay.succeed("backup", scene.source)).stderr).toBe("");
});

it("unlock takes away what interrupted uploads left behind a day ago", async () => {
  const place = path.join(scene.repository, "data", "ab", `backstay_tmp_${"0".repeat(24)}`);
  mkdirSync(path.dirname(place), { recursive: true });
  writeFileSync(place, "partial");
  expect(await scene.backstay.output("unlock")).toBe("removed 0 locks\n");
  const then = Date.now() / 1000 - 25 * 3600;
  utimesSync(place, then, then);
  const { stdout } = await scene.backstay.succeed("unlock", "--json");
  expect(JSON.parse(stdout)).toEqual({ message_type: "unlocked", removed: 0, partial_files: 1 });
  expect(existsSync(place)).toBe(false);
});

it.runIf(process.platform === "linux")("an operand that is no UTF-8 is found", async () => {
  const line = `exec "$0" backup --json "$(printf '%s/byte\\377' "$1")"`;
  const { exitCode, stdout } = await scene.start(
    ["-c", line, scene.backstayProgram, scene.source],
    { BACKSTAY_PASSWORD: password },
    (child) => child.stdin.end(),
    "/bin/sh",
  );
  expect(exitCode).toBe(0);
  expect(stdout).toContain('"files_new":1,');
});
