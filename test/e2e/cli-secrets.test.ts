/** Secrets of the machine, on the command line. */
import { spawn, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSecretKeeper } from "../../platform/open-secret-keeper.ts";
import { backstayPath, CliScene, type Ending } from "./cli-scene.ts";

let scene: CliScene;
beforeAll(() => {
  scene = new CliScene();
});
afterAll(() => scene.remove());

const state = (): string => scene.at("home", "state");

async function secret(args: readonly string[], input = ""): Promise<Ending> {
  const environment = { BACKSTAY_HOME: scene.at("home") };
  return await scene.start(["secret", ...args], environment, (child) => child.stdin.end(input));
}

async function keptValue(name: string): Promise<string> {
  return Buffer.from(await (await openSecretKeeper(state())).read(name)).toString();
}

describe("secrets", () => {
  it("are stored from standard input, listed by name, replaced and removed", async () => {
    const none = await secret(["list"]);
    expect(none).toMatchObject({ exitCode: 0, stdout: "" });
    const value = '{\n  "key": "x y"\n}';
    const stored = await secret(["set", "account"], `${value}\n`);
    expect(stored).toMatchObject({ exitCode: 0, stderr: "" });
    expect(stored.stdout).toMatch(/^account: stored, /);
    expect(await keptValue("account")).toBe(value);

    const replaced = JSON.parse((await secret(["set", "account", "--json"], "other")).stdout);
    expect(replaced).toMatchObject({ message_type: "secret_set", name: "account", is_new: false });
    expect(await keptValue("account")).toBe("other");

    await secret(["set", "b"], "second");
    expect((await secret(["list"])).stdout).toBe("account\nb\n");
    const listed = await secret(["list", "--json"]);
    expect(JSON.parse(listed.stdout)).toMatchObject({ names: ["account", "b"] });
    expect(listed.stdout).not.toMatch(/other|second/);

    const refused = await secret(["remove", "b", "nothing"]);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain("nothing");
    expect((await secret(["remove", "account", "b", "b"])).stdout).toBe(
      "account: removed\nb: removed\n",
    );
    expect(readdirSync(scene.at("home", "state", "secrets"))).toEqual([]);
  });

  it.each<[string, string[], string]>([
    ["an empty value", ["set", "it"], " \n"],
    ["a value that is too long", ["set", "it"], "x".repeat(300_000)],
    ["a name that is a path", ["set", "../it"], "value"],
    ["no name", ["set"], "value"],
    ["a value as an argument", ["set", "it", "value"], ""],
  ])("are refused: %s", async (_what, args, input) => {
    const { exitCode, stdout } = await secret(args, input);
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect((await secret(["list"])).stdout).toBe("");
  });

  it("are asked for twice on a terminal, and not shown", async (context) => {
    const program = spawnSync("script", ["--version"], { encoding: "utf8" }).stdout;
    if (!(program ?? "").includes("util-linux")) context.skip("script of util-linux not found");
    const shown = await typing(["typed value", "typed value"]);
    expect(shown).toContain("typed: stored");
    expect(shown).not.toContain("typed value");
    expect(await keptValue("typed")).toBe("typed value");
    expect(await typing(["one", "two"])).toContain("the two values differ");
    expect(await keptValue("typed")).toBe("typed value");
  });
});

/** What a terminal shows while each answer is given to its question; util-linux's script gives a process a terminal. */
async function typing(answers: readonly string[]): Promise<string> {
  const child = spawn("script", ["-qec", `'${backstayPath}' secret set typed`, "/dev/null"], {
    env: { PATH: process.env["PATH"] ?? "", BACKSTAY_HOME: scene.at("home") },
  });
  let shown = "";
  const left = [...answers];
  for await (const part of child.stdout.setEncoding("utf8")) {
    shown += String(part);
    const questions = shown.match(/value of typed[^:]*: /g)?.length ?? 0;
    while (left.length > 0 && questions > answers.length - left.length)
      child.stdin.write(`${left.shift()}\n`);
  }
  return shown;
}
