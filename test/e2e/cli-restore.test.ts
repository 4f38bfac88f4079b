/** Restores and dumps from the command line. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LocalStore } from "../../storage/local/local-store.ts";
import { addSnapshot } from "../check/check-scene.ts";
import { CraftedRepository } from "../repository/crafted-snapshot.ts";
import { compareTrees, differenceLines } from "../tree-comparison.ts";
import { CliScene, password } from "./cli-scene.ts";

let scene: CliScene;
beforeAll(async () => {
  scene = new CliScene();
  await scene.init();
  await scene.backUp();
});
afterAll(() => scene.remove());

const docs = (): string => path.join(scene.source, "docs");

describe("a restore", () => {
  it("brings back what was backed up, and says so", async () => {
    const target = scene.at("whole");
    const { stdout, stderr } = await scene.backstay.succeed(
      "restore",
      "latest",
      "-t",
      target,
      "--verify",
    );
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^restoring snapshot [0-9a-f]{8} of .* to .*\/whole$/m);
    expect(stdout).toMatch(/^Summary: Restored 1\d files\/dirs \(292\.979 KiB\) in \d+:\d\d$/m);
    expect(stdout).toMatch(/^verified 6 files$/m);
    const comparison = compareTrees(scene.source, path.join(target, scene.source));
    expect(differenceLines(comparison)).toEqual([]);
    expect(comparison.files).toBe(6);
  });

  it("of a folder leaves its parents out", async () => {
    await scene.backstay.succeed("restore", `latest:${docs()}`, "--target", scene.at("part"));
    expect(readdirSync(scene.at("part")).toSorted()).toEqual(["deep", "one.txt"]);
  });

  it("takes what is included and not excluded", async () => {
    writeFileSync(scene.at("patterns"), "two.*\n");
    const args = ["--iinclude", "*.txt", "--exclude-file", scene.at("patterns")];
    const target = scene.at("chosen");
    await scene.backstay.succeed("restore", `latest:${scene.source}`, "-t", target, ...args);
    expect(readdirSync(path.join(target, "docs"))).toEqual(["one.txt"]);
    expect(readdirSync(target)).toEqual(["docs"]);
  });

  it("keeps, updates and removes as it is told", async () => {
    const target = scene.at("rules");
    const from = `latest:${docs()}`;
    mkdirSync(target);
    writeFileSync(path.join(target, "one.txt"), "mine");
    writeFileSync(path.join(target, "extra"), "extra");
    const restore = async (...args: string[]) =>
      await scene.backstay.run("restore", from, "--target", target, ...args);
    expect((await restore("--overwrite", "never")).exitCode).toBe(0);
    expect(readFileSync(path.join(target, "one.txt"), "utf8")).toBe("mine");
    const dry = await restore("--delete", "--dry-run", "-v");
    expect(dry.stdout).toMatch(/^deleted {3}\/extra/m);
    expect(dry.stdout).toMatch(/^updated {3}\/one\.txt/m);
    expect(existsSync(path.join(target, "extra"))).toBe(true);
    const unsure = await restore("--delete");
    expect(unsure).toMatchObject({ exitCode: 1 });
    expect(unsure.stderr).toContain("--confirm-delete");
    expect((await restore("--delete", "--confirm-delete")).exitCode).toBe(0);
    expect(readdirSync(target).toSorted()).toEqual(["deep", "one.txt"]);
    expect(readFileSync(path.join(target, "one.txt"), "utf8")).toBe("one\n");
  });

  it("with --json names each file from -vv on, and ends with a summary", async () => {
    const target = scene.at("json");
    const messages = await scene.backstay.messages(
      "restore",
      `latest:${docs()}`,
      "-t",
      target,
      "-vv",
    );
    const items = messages.flatMap((message) =>
      message["message_type"] === "verbose_status"
        ? [`${message["action"] as string} ${message["item"] as string}`]
        : [],
    );
    expect(items.toSorted()).toEqual([
      "restored /deep",
      "restored /deep/two.TXT",
      "restored /one.txt",
    ]);
    expect(messages.at(-1)).toMatchObject({
      message_type: "summary",
      total_files: 3,
      files_restored: 3,
      total_bytes: 8,
      bytes_restored: 8,
    });
  });

  it("that is not whole ends with 1 and names what is missing", async () => {
    const target = scene.at("partial");
    const packs = path.join(scene.repository, "data");
    const copy = scene.at("hurt");
    spawnSync("cp", ["-r", scene.repository, copy]);
    const files = readdirSync(packs, { recursive: true, withFileTypes: true }).filter((each) =>
      each.isFile(),
    );
    for (const file of files) {
      const bytes = readFileSync(path.join(file.parentPath, file.name));
      const inCopy = path.join(
        copy,
        path.relative(scene.repository, path.join(file.parentPath, file.name)),
      );
      bytes[20] ^= 1;
      writeFileSync(inCopy, bytes);
    }
    const { exitCode, stderr } = await scene.start(
      ["restore", "latest", "--target", target, "--repo", copy, "--json"],
      { BACKSTAY_PASSWORD: password },
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain('"message_type":"exit_error","code":1');
  });
});

describe("with a damaged pack whose blobs another pack holds, too", () => {
  const asCrafted = { BACKSTAY_PASSWORD: "crafted" };

  it("a restore is whole, with a warning that names the pack", async () => {
    const repository = scene.at("twice");
    const crafted = new CraftedRepository(new LocalStore(repository));
    const node = crafted.file("file", ["first ", "second"]);
    crafted.nextPack();
    for (const content of ["second", "first "]) crafted.blob(content);
    const tree = crafted.tree([node]);
    const opened = await crafted.open();
    await addSnapshot(opened, tree);
    const { blobs } = opened;
    const pack = blobs.packId(blobs.packOf(blobs.find(node.content ?? tree, 0, false)));
    const place = path.join(repository, "data", pack.slice(0, 2), pack);
    writeFileSync(place, Buffer.alloc(readFileSync(place).length, 7));
    const run = async (...args: readonly string[]) =>
      await scene.start(["--repo", repository, ...args], asCrafted);
    const target = scene.at("from twice");
    const restored = await run("restore", "latest", "--target", target);
    expect(restored).toMatchObject({ exitCode: 0 });
    expect(restored.stderr).toMatch(new RegExp(`^warning: pack ${pack} is damaged.*\\n$`));
    expect(readFileSync(path.join(target, "file"), "utf8")).toBe("first second");
    const dumped = await run("dump", "latest", "/file", "--json");
    expect(dumped).toMatchObject({ exitCode: 0, stdout: "first second" });
    expect(JSON.parse(dumped.stderr)).toMatchObject({
      message_type: "warning",
      item: `data/${pack}`,
    });
    const checked = await run("check", "--read-data");
    expect(checked.exitCode).toBe(1);
    expect(checked.stdout + checked.stderr).toContain(pack);
  });
});

describe("a dump", () => {
  it("writes a file as it is", async () => {
    const { stdout } = await scene.backstay.succeed(
      "dump",
      "latest",
      path.join(scene.source, "big"),
    );
    expect(stdout).toBe(readFileSync(path.join(scene.source, "big"), "utf8"));
    expect(await scene.backstay.output("dump", `latest:${docs()}`, "one.txt")).toBe("one\n");
    expect(await scene.backstay.output("dump", `latest:${docs()}/one.txt`)).toBe("one\n");
  });

  it("writes a folder as tar", async () => {
    const line = `exec "$0" dump latest "$1" | tar -t -f -`;
    const { stdout } = await scene.start(
      ["-c", line, scene.backstayProgram, docs()],
      { BACKSTAY_PASSWORD: password },
      (child) => child.stdin.end(),
      "/bin/sh",
    );
    const names = stdout
      .trim()
      .split("\n")
      .map((name) => path.basename(name));
    expect(names.toSorted()).toEqual(["deep", "docs", "one.txt", "two.TXT"]);
  });

  it("says what is wrong", async () => {
    expect((await scene.backstay.run("dump", "latest", "/nowhere")).stderr).toContain("/nowhere");
    expect((await scene.backstay.run("dump", "latest")).stderr).toContain("which file or folder");
    expect((await scene.backstay.run("dump", "latest", `${scene.source}/link`)).exitCode).toBe(1);
  });
});
