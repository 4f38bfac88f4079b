/** Where passwords come from, and keys. */
import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backstayPath, CliScene, password } from "./cli-scene.ts";

let scene: CliScene;
beforeAll(async () => {
  scene = new CliScene();
  await scene.init();
  writeFileSync(scene.at("good"), `\ufeff ${password}\r\n`);
  writeFileSync(scene.at("bad"), "another\n");
  writeFileSync(scene.at("program"), `#!/bin/sh\nprintf '%s\\n' "$1 $2"\n`);
  chmodSync(scene.at("program"), 0o755);
});
afterAll(() => scene.remove());

async function exitCode(
  environment: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<number | null> {
  return (await scene.start(["snapshots", ...args], environment)).exitCode;
}

describe("the password comes from", () => {
  it("a file, a program, or the environment, restic's names included", async () => {
    const command = `'${scene.at("program")}' e2e "password"`;
    expect(await exitCode({}, "--password-file", "good")).toBe(0);
    expect(await exitCode({ RESTIC_PASSWORD_COMMAND: command })).toBe(0);
    expect(await exitCode({ BACKSTAY_PASSWORD: password, BACKSTAY_PASSWORD_FILE: "bad" })).toBe(12);
  });

  it("a line of standard input", async () => {
    const { exitCode: code } = await scene.start(["snapshots"], {}, (child) =>
      child.stdin.end(`${password}\nnot this\n`),
    );
    expect(code).toBe(0);
  });
});

it("a terminal is asked, without showing what is typed", (context) => {
  // util-linux's script gives a process a terminal.
  const program = spawnSync("script", ["--version"], { encoding: "utf8" }).stdout;
  if (!(program ?? "").includes("util-linux")) context.skip("script of util-linux not found");
  const line = `'${backstayPath}' --repo '${scene.repository}' --no-cache snapshots`;
  const { stdout } = spawnSync("script", ["-qec", line, "/dev/null"], {
    input: `${password}\n`,
    encoding: "utf8",
    env: { PATH: process.env["PATH"] ?? "", BACKSTAY_HOME: scene.at("home") },
  });
  expect(stdout).toContain(`password for ${scene.repository}: `);
  expect(stdout).toContain("no snapshots");
  // The terminal itself may echo what came before the program took its echo away.
  expect(stdout.split("password for")[1]).not.toContain(password);
});

describe("keys", () => {
  const run = async (secret: string, ...args: readonly string[]) =>
    await scene.start(args, { BACKSTAY_PASSWORD: secret });

  it("are added, listed and removed, but not the one in use", async () => {
    const added = await run(password, "key", "add", "--new-password-file", "bad", "--json");
    const { id } = JSON.parse(added.stdout) as { id: string };
    expect((await run("another", "snapshots")).exitCode).toBe(0);
    const listed = JSON.parse((await run("another", "key", "list", "--json")).stdout) as {
      id: string;
      current: boolean;
    }[];
    expect(listed).toHaveLength(2);
    expect(listed.find((key) => key.current)?.id).toBe(id);
    const refused = await run("another", "key", "remove", id.slice(0, 12));
    expect(refused.exitCode).toBe(1);
    expect((await run(password, "key", "remove", id.slice(0, 12))).exitCode).toBe(0);
    expect((await run("another", "snapshots")).exitCode).toBe(12);
  });

  it("passwords are replaced", async () => {
    expect((await run(password, "key", "passwd", "--new-password-file", "bad")).exitCode).toBe(0);
    expect((await run(password, "snapshots")).exitCode).toBe(12);
    expect((await run("another", "key", "passwd", "--new-password-file", "good")).exitCode).toBe(0);
    expect((await run(password, "snapshots")).exitCode).toBe(0);
  });

  it("a repository may have the empty password, on purpose only", async () => {
    const place = { BACKSTAY_REPOSITORY: scene.at("open") };
    expect((await scene.start(["init"], place)).exitCode).toBe(1);
    expect((await scene.start(["init", "--insecure-no-password"], place)).exitCode).toBe(0);
    expect((await scene.start(["snapshots", "--insecure-no-password"], place)).exitCode).toBe(0);
    expect((await scene.start(["snapshots"], place)).exitCode).toBe(1);
  });
});
