/** Policies of a machine without a server, from the command line. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CliScene, type Ending } from "./cli-scene.ts";

let scene: CliScene;
beforeEach(() => {
  scene = new CliScene();
});
afterEach(() => scene.remove());

function text(name: string, addition = ""): string {
  return `# of ${name}\nversion: 1\nname: ${name}\nsource: { paths: [/srv] }\ndestination: { repository: /mnt/backup }\nencryption: { password: { secret: x } }\n${addition}`;
}

async function policy(args: readonly string[], input = ""): Promise<Ending> {
  return await scene.start(["policy", ...args], {}, (child) => child.stdin.end(input));
}

async function printed(args: readonly string[], input = ""): Promise<string> {
  const ending = await policy(args, input);
  expect(ending).toMatchObject({ exitCode: 0, stderr: "" });
  return ending.stdout;
}

async function keepSecret(): Promise<void> {
  const set = await scene.start(["secret", "set", "x"], {}, (child) => child.stdin.end("y"));
  expect(set.exitCode).toBe(0);
}

const stored = (name: string): string => scene.at("home", "config", "policies", `${name}.yaml`);

describe("backstay policy", () => {
  it("applies, shows, exports and removes policies", async () => {
    const both = `${text("a")}---\n${text("b", "schedule: { timers: [{ every: after-policy, policy: a }] }\n")}`;
    writeFileSync(scene.at("both.yaml"), both);
    expect(await policy(["apply", "--dry-run", "both.yaml"])).toMatchObject({
      exitCode: 0,
      stdout: "a: would be created\nb: would be created\n",
      stderr: "warning: no secret x is kept on this machine: run `backstay secret set x`\n",
    });
    expect(existsSync(scene.at("home"))).toBe(false);
    await keepSecret();
    expect(await printed(["apply", "both.yaml"])).toBe("a: created\nb: created\n");
    expect(await printed(["apply", "both.yaml"])).toBe("a: unchanged\nb: unchanged\n");
    expect(await printed(["apply", "-"], text("a", "kind: server\npriority: 5\n"))).toBe(
      [
        "a: changed",
        "  kind: workstation -> server",
        "  schedule.retry.attempts: 138 -> 3",
        "  schedule.retry.interval: 10m -> 30m",
        "  priority: 0 -> 5",
        "",
      ].join("\n"),
    );
    expect(readFileSync(stored("a"), "utf8")).toBe(text("a", "kind: server\npriority: 5\n"));
    expect(await printed(["show"])).toMatch(
      /^a {2,}server {2,}\/mnt\/backup {2,}only by hand {2,}[0-9a-f]{8}$/m,
    );
    const effective = await printed(["show", "a", "--effective"]);
    expect(effective).toMatch(/^priority {2,}5 {2,}policy$/m);
    expect(effective).toMatch(/^schedule\.retry\.attempts {2,}3 {2,}default of its kind$/m);
    expect(effective).toMatch(/^limits\.duration {2,}21d {2,}default$/m);
    const exported = await printed(["export"]);
    expect(exported).toContain("# of a\n");
    expect(await printed(["apply", "-"], exported)).toMatch(
      /^a: (?:un)?changed\nb: (?:un)?changed\n$/,
    );
    const needed = await policy(["remove", "a"]);
    expect(needed).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("needed by: b") });
    expect(await printed(["remove", "a", "b"])).toBe(
      "a: removed; its backups stay\nb: removed; its backups stay\n",
    );
    expect(await printed(["show"])).toBe("there is no policy\n");
    expect(existsSync(stored("a"))).toBe(false);
  });

  it("speaks JSON", async () => {
    await keepSecret();
    const applied = JSON.parse(await printed(["apply", "--json", "-"], text("a"))) as object;
    expect(applied).toMatchObject({
      message_type: "policies_applied",
      dry_run: false,
      missing_secrets: [],
      policies: [{ name: "a", action: "create", file: stored("a"), changes: [] }],
    });
    expect(JSON.parse(await printed(["show", "--json"]))).toMatchObject({
      policies: [
        { name: "a", last_good: false, fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) },
      ],
      problems: [],
    });
    const shown = JSON.parse(await printed(["show", "a", "--effective", "--json"])) as {
      effective: object[];
    };
    expect(shown).toMatchObject({ name: "a", document: { source: { paths: ["/srv"] } } });
    expect(shown.effective).toContainEqual({ setting: "enabled", value: true, origin: "default" });
    expect(JSON.parse(await printed(["export", "--json"]))).toMatchObject([
      { version: 1, name: "a" },
    ]);
    const wrong = await policy(["validate", "--json", "-"], text("a", "colour: red\n"));
    expect(wrong.exitCode).toBe(1);
    expect(JSON.parse(wrong.stdout)).toEqual({
      message_type: "policies",
      policies: [
        {
          name: "a",
          file: "standard input",
          valid: false,
          error_code: "POLICY_INVALID",
          mistakes: [{ line: 7, column: 1, setting: "colour", problem: "is not a known field" }],
        },
      ],
    });
    expect(JSON.parse(wrong.stderr)).toMatchObject({ error_code: "POLICY_INVALID" });
  });

  it("changes nothing if one of several policies can't be used, and names every mistake", async () => {
    writeFileSync(scene.at("good.yaml"), text("a"));
    writeFileSync(scene.at("bad.yaml"), text("b", "colour: red\nlimits: { duration: long }\n"));
    const ending = await policy(["apply", "good.yaml", "bad.yaml"]);
    expect(ending).toMatchObject({ exitCode: 1, stdout: "" });
    expect(ending.stderr).toContain(
      "bad.yaml:7:1: colour is not a known field\nbad.yaml:8:11: limits.duration must be a duration such as 30m, 4h or 1d 12h\n",
    );
    expect(existsSync(stored("a"))).toBe(false);
  });

  it.each([
    [
      "backupCache: { enabled: true }\n",
      "POLICY_UNSUPPORTED",
      "backupCache.enabled is not possible yet",
    ],
    [
      "schedule: { timers: [{ every: after-policy, policy: b }] }\n",
      "POLICY_INVALID",
      "there is no policy b to start after",
    ],
  ])("refuses %j with %s", async (addition, code, problem) => {
    const ending = await policy(["apply", "--json", "-"], text("a", addition));
    expect(ending.exitCode).toBe(1);
    const [refused, error] = ending.stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(refused).toMatchObject({ message_type: "policy_refused", name: "a", error_code: code });
    expect(error).toMatchObject({
      message_type: "exit_error",
      error_code: code,
      message: expect.stringContaining(problem),
    });
  });

  it("refuses a newer version with the fields that are new", async () => {
    const newer = text("a", "cloud: 1\n").replace("version: 1", "version: 2");
    const ending = await policy(["validate", "-"], newer);
    expect(ending).toMatchObject({ exitCode: 1, stdout: "" });
    expect(ending.stderr).toContain("standard input:2:1: version is newer than 1");
    expect(ending.stderr).toContain("standard input:7:1: cloud is not known to this version");
  });

  it("holds policies against the guard rails of the machine, and tells their values", async () => {
    await keepSecret();
    mkdirSync(scene.at("home", "config"), { recursive: true });
    const rails = scene.at("home", "config", "agent.yaml");
    writeFileSync(rails, "guardRails: { destinations: [/mnt], uploadPerSecond: 1 MiB }\n");
    await printed(["apply", "-"], text("a", "limits: { uploadPerSecond: 3 MiB }\n"));
    expect(await printed(["show", "a", "--effective"])).toMatch(
      /^limits\.uploadPerSecond {2,}1 MiB {2,}guard rail of this machine, policy: 3 MiB$/m,
    );
    const outside = text("b").replace("/mnt/backup", "/media/stick");
    expect(await policy(["apply", "-"], outside)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("destination.repository is none of the places"),
    });
    expect(await printed(["validate", "-"], outside)).toBe("standard input: b is valid\n");
    writeFileSync(rails, "guardRails: { destination: /mnt }\n");
    expect(await policy(["show"])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("guardRails.destination is not a known field"),
    });
  });

  it("names files that can't be used, and applying puts them right", async () => {
    await keepSecret();
    await printed(["apply", "-"], text("a"));
    chmodSync(stored("a"), 0o666);
    const shown = await policy(["show"]);
    expect(shown).toMatchObject({ exitCode: 1, stdout: "there is no policy\n" });
    expect(shown.stderr).toContain(`${stored("a")}:1:1: can be changed by other users`);
    expect(await policy(["export", "a"])).toMatchObject({ exitCode: 1, stdout: "" });
    expect(await printed(["apply", "-"], text("a"))).toBe("a: created\n");
    expect(await printed(["export", "a"])).toBe(text("a"));
  });

  it("says what is wrong with the command line", async () => {
    expect(await policy(["apply"])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("missing required argument"),
    });
    expect(await policy(["apply", "gone.yaml"])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("ENOENT"),
    });
    expect(await policy(["show", "gone"])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("There is no policy of this name"),
    });
    writeFileSync(scene.at("a.yaml"), text("a"));
    expect(await policy(["apply", "a.yaml", "a.yaml"])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("two of the files hold it"),
    });
  });
});
