/** What scripts read: our JSON is restic's, message by message, on the same repository. */
import { appendFileSync, chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWithPeers } from "../peers.ts";
import { type Message, type RepositoryProgram, resticOn } from "../programs.ts";
import { CliScene, password } from "./cli-scene.ts";

/** Everything on stdout as JSON values: one a line, or one list. */
function values(text: string): unknown[] {
  return text
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown);
}

/** Without what only we tell. */
function withoutOurs(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutOurs);
  if (typeof value !== "object" || value === null) return value;
  const ours = ["path_raw"];
  const members = Object.entries(value).filter(([key]) => !ours.includes(key));
  return Object.fromEntries(members.map(([key, member]) => [key, withoutOurs(member)]));
}

describeWithPeers("on one repository", ["restic018"], ({ restic018 }) => {
  let scene: CliScene;
  let restic: RepositoryProgram;
  const ids: string[] = [];

  beforeAll(async () => {
    scene = new CliScene();
    await scene.init();
    restic = resticOn(restic018, { repository: scene.repository, password });
    ids.push(await scene.backUp("--tag", "a,b"));
    appendFileSync(path.join(scene.source, "docs", "one.txt"), "more\n");
    rmSync(path.join(scene.source, "empty"));
    mkdirSync(path.join(scene.source, "fresh"));
    chmodSync(path.join(scene.source, "big"), 0o600);
    await restic.succeed("backup", scene.source, "--host", "elsewhere");
    const [, second] = await restic.messages("snapshots");
    ids.push(String(second["id"]));
    await scene.backstay.succeed("key", "add", "--new-insecure-no-password");
  });
  afterAll(() => scene.remove());

  const both = async (...args: string[]): Promise<[unknown[], unknown[]]> => {
    const given = args.map((arg) =>
      arg.replace(/^#(\d)/, (_, index: string) => ids[Number(index)]),
    );
    const [theirs, ours] = await Promise.all([
      restic.output("--json", ...given),
      scene.backstay.output("--json", ...given),
    ]);
    return [values(theirs), values(ours).map(withoutOurs)];
  };

  it.each([
    [["snapshots"]],
    [["snapshots", "--tag", "a"]],
    [["snapshots", "--host", "nobody"]],
    [["snapshots", "--latest", "1"]],
    [["ls", "#0"]],
    [["ls", "latest", "--host", "elsewhere"]],
    [["ls", "#1", "--sort", "size"]],
    [["ls", "#1", "--sort", "extension", "--reverse"]],
    [["find", "*.txt"]],
    [["find", "-i", "*.txt", "big"]],
    [["find", "docs"]],
    [["find", "nothing-like-it"]],
    [["find", "--reverse", "--snapshot", "#0", "*"]],
    [["diff", "#0", "#1"]],
    [["diff", "#0", "#1", "--metadata"]],
    [["stats"]],
    [["stats", "#0", "--mode", "files-by-contents"]],
    [["stats", "--mode", "blobs-per-file"]],
    [["stats", "--mode", "raw-data"]],
  ])("%j", async (args) => {
    const [theirs, ours] = await both(...args);
    expect(ours).toEqual(theirs);
  });

  it("groups of snapshots, whose order restic leaves to chance", async () => {
    const sorted = (lists: unknown[]): unknown[] =>
      (lists[0] as unknown[]).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    const [theirs, ours] = await both("snapshots", "--group-by", "host");
    expect(sorted(ours)).toEqual(sorted(theirs));
    expect(sorted(ours)).toHaveLength(2);
  });

  it("ls of a folder, and below it", async () => {
    const folder = path.join(scene.source, "docs");
    for (const more of [[], ["--recursive"]]) {
      const [theirs, ours] = await both("ls", "#1", folder, ...more);
      expect(ours).toEqual(theirs);
      expect(theirs.length).toBeGreaterThan(2);
    }
  });

  it("ls --ncdu, to the byte", async () => {
    for (const more of [[], [path.join(scene.source, "docs")], ["/", "--recursive"]]) {
      const args = ["ls", ids[1], "--ncdu", ...more];
      // Go writes an escape for bytes that are no text; JSON means the same.
      const theirs = (await restic.output(...args)).replaceAll("\\ufffd", "\ufffd");
      expect(await scene.backstay.output(...args)).toBe(theirs);
      expect(theirs).toContain('"name":"docs"');
    }
    for (const other of [["--sort", "size"], ["--reverse"], ["--json"]]) {
      const { exitCode, stderr } = await scene.backstay.run("ls", "latest", "--ncdu", ...other);
      expect([exitCode, stderr]).toEqual([1, expect.stringContaining(other[0])]);
    }
  });

  it("find --tree and --blob", async () => {
    const [snapshot] = (await both("snapshots", "#0"))[0] as [Message[]];
    const [theirs, ours] = await both("find", "--tree", String(snapshot[0]["tree"]));
    expect(ours).toEqual(theirs);
    expect(ours).not.toEqual([[]]);
  });

  it("key list", async () => {
    const sorted = (list: unknown[]): Message[] =>
      (list as Message[][])[0].toSorted((a, b) => (String(a["id"]) < String(b["id"]) ? -1 : 1));
    const [theirs, ours] = await both("key", "list");
    // Which key a password opens is up to each program; there is only one for ours.
    expect(sorted(ours)).toEqual(sorted(theirs));
  });

  it("backups name the same files and folders, with what became of each", async () => {
    const source = scene.at("named");
    mkdirSync(path.join(source, "kept"), { recursive: true });
    for (const name of ["kept/one", "two", "three"])
      writeFileSync(path.join(source, name), `${name}\n`);
    const namedBy = async (program: RepositoryProgram, host: string): Promise<string[]> => {
      const found = await program.messages("backup", source, "-v", "--host", host);
      const entries = found.filter(({ action, item }) => action !== undefined && item !== "");
      expect(entries.every(({ message_type }) => message_type === "verbose_status")).toBe(true);
      return entries.map(({ action, item }) => `${String(action)} ${String(item)}`).toSorted();
    };
    const namedByBoth = async (): Promise<string[]> => {
      const theirs = await namedBy(restic, "theirs");
      const ours = await namedBy(scene.backstay, "ours");
      expect(ours).toEqual(theirs);
      return ours;
    };
    expect(await namedByBoth()).toContain(`new ${source}/`);
    appendFileSync(path.join(source, "two"), "more");
    writeFileSync(path.join(source, "four"), "new");
    const expected = [
      ...[`modified ${source}/`, `unchanged ${source}/kept/`, `unchanged ${source}/kept/one`],
      ...[`unchanged ${source}/three`, `modified ${source}/two`, `new ${source}/four`],
    ];
    expect(await namedByBoth()).toEqual(expect.arrayContaining(expected));
  });

  it("summaries of backup, restore and check have restic's fields", async () => {
    const fieldsOf = async (program: RepositoryProgram, ...args: string[]): Promise<string[]> => {
      const found = await program.message("summary", ...args);
      // Left out by both when it is 0.
      return Object.keys(found)
        .filter((field) => field !== "seconds_elapsed")
        .toSorted();
    };
    const commands = [["backup", scene.source], ["backup", scene.source, "--dry-run"], ["check"]];
    for (const command of commands) {
      const theirs = await fieldsOf(restic, ...command);
      const ours = await fieldsOf(scene.backstay, ...command);
      const missing = theirs.filter((field) => !ours.includes(field));
      // A dry run of restic names a snapshot that it never saved.
      expect(missing, command.join(" ")).toEqual(
        command.includes("--dry-run") ? ["snapshot_id"] : [],
      );
    }
    const restored = await Promise.all(
      [restic, scene.backstay].map((program, index) =>
        fieldsOf(program, "restore", ids[0], "--target", scene.at(`restored-${index}`)),
      ),
    );
    expect(restored[1]).toEqual(restored[0]);
  });
});
