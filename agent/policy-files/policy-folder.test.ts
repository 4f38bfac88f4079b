/** The folder of policies: what people write there is in force, and what they break stays as it was. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDurableFiles } from "../../platform/open-durable-files.ts";
import { guardRails } from "../../protocol/policy/guard-rails.ts";
import { type LoadedPolicies, PolicyFolder } from "./policy-folder.ts";

const never = new AbortController().signal;
const noRails = guardRails.parse({});
let root = "";
let folder: PolicyFolder;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "backstay-policies-"));
  folder = new PolicyFolder(
    path.join(root, "etc", "policies"),
    path.join(root, "lib", "policies"),
    openDurableFiles(),
  );
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (...names: readonly string[]): string => path.join(root, ...names);

function text(name: string, addition = ""): string {
  return `# mine\nversion: 1\nname: ${name}\nsource: { paths: [/srv] }\ndestination: { repository: /mnt }\nencryption: { password: { secret: x } }\n${addition}`;
}

async function write(name: string, addition = ""): Promise<void> {
  await folder.write(name, text(name, addition), never);
}

async function loadAndKeep(rails = noRails): Promise<LoadedPolicies> {
  const loaded = await folder.load(rails);
  await folder.keep(loaded, never);
  return loaded;
}

const shown = ({ policies, problems }: LoadedPolicies): unknown[] => [
  ...[...policies.values()].map(({ name, policy, isLastGood }) => [
    name,
    policy.priority,
    isLastGood ? "last good" : "written",
  ]),
  ...problems.map(
    ({ file, code, mistakes: [{ line, problem }] }) =>
      `${path.relative(root, file)}:${line} ${code} ${problem}`,
  ),
];

describe("PolicyFolder", () => {
  it("has nothing where nothing was written", async () => {
    expect(shown(await loadAndKeep())).toEqual([]);
  });

  it("writes files for the administrator alone, as they were given, and nothing else", async () => {
    await write("b", "priority: 2\n");
    await write("a");
    await write("b", "priority: 3\n");
    expect(shown(await folder.load(noRails))).toEqual([
      ["a", 0, "written"],
      ["b", 3, "written"],
    ]);
    expect(readdirSync(folder.folder)).toEqual(["a.yaml", "b.yaml"]);
    expect(readFileSync(folder.fileOf("b"), "utf8")).toBe(text("b", "priority: 3\n"));
    expect(statSync(folder.folder).mode & 0o777).toBe(0o700);
    expect(statSync(folder.fileOf("b")).mode & 0o777).toBe(0o600);
  });

  it("goes on with what was good last when a file is broken, until it is right again or removed", async () => {
    await write("a", "priority: 1\n");
    const before = await loadAndKeep();
    await write("a", "priority: high\n");
    const broken = await loadAndKeep();
    expect(shown(broken)).toEqual([
      ["a", 1, "last good"],
      "etc/policies/a.yaml:7 POLICY_INVALID must be a number",
    ]);
    expect(broken.policies.get("a")?.fingerprint).toBe(before.policies.get("a")?.fingerprint);
    await write("a", "priority: 2\n");
    expect(shown(await loadAndKeep())).toEqual([["a", 2, "written"]]);
    await folder.remove("a");
    expect(shown(await loadAndKeep())).toEqual([]);
    expect(readdirSync(at("lib", "policies"))).toEqual([]);
  });

  it("has no policy of a file that never was good", async () => {
    await write("a", "priority: high\n");
    expect(shown(await loadAndKeep())).toEqual([
      "etc/policies/a.yaml:7 POLICY_INVALID must be a number",
    ]);
  });

  it("goes on with all policies when their folder is away, emptied or unreadable", async () => {
    await write("a");
    await write("b");
    await loadAndKeep();
    const wanted = [
      ["a", 0, "last good"],
      ["b", 0, "last good"],
    ];
    renameSync(folder.folder, at("away"));
    expect(shown(await loadAndKeep())).toEqual([
      ...wanted,
      expect.stringContaining("POLICY_FOLDER holds no policies any more"),
    ]);
    mkdirSync(folder.folder);
    expect(shown(await loadAndKeep())).toEqual([
      ...wanted,
      expect.stringContaining("POLICY_FOLDER holds no policies any more"),
    ]);
    rmSync(folder.folder, { recursive: true });
    writeFileSync(folder.folder, "");
    expect(shown(await loadAndKeep())).toEqual([
      ...wanted,
      expect.stringContaining("POLICY_FOLDER can't be read: ENOTDIR"),
    ]);
    rmSync(folder.folder);
    await folder.remove("a");
    await folder.remove("b");
    expect(shown(await loadAndKeep())).toEqual([]);
  });

  it("ends a policy whose file was removed by hand", async () => {
    await write("a");
    await write("b");
    await loadAndKeep();
    rmSync(folder.fileOf("a"));
    expect(shown(await loadAndKeep())).toEqual([["b", 0, "written"]]);
    expect(readdirSync(at("lib", "policies"))).toEqual(["b.yaml"]);
  });

  it("names files that are not what they should be, and leaves those of editors alone", async () => {
    await write("a");
    const put = (name: string, content: string): void =>
      writeFileSync(path.join(folder.folder, name), content, { mode: 0o600 });
    put("other.yaml", text("mine"));
    put("two.yaml", `${text("two")}---\n${text("three")}`);
    put("large.yaml", `#${" ".repeat(2 ** 21)}`);
    put("Upper.yaml", text("upper"));
    put("old.yml", text("old"));
    put(".a.yaml.swp", "x");
    put("a.yaml~", "x");
    put("README", "x");
    mkdirSync(path.join(folder.folder, "folder.yaml"));
    expect(shown(await folder.load(noRails))).toEqual([
      ["a", 0, "written"],
      "etc/policies/Upper.yaml:1 POLICY_INVALID is not read: files of policies are named NAME.yaml, with the policy's name in small letters",
      "etc/policies/old.yml:1 POLICY_INVALID is not read: files of policies are named NAME.yaml, with the policy's name in small letters",
      "etc/policies/folder.yaml:1 POLICY_INVALID is no plain file",
      "etc/policies/large.yaml:1 POLICY_INVALID is larger than 1048576 bytes",
      "etc/policies/other.yaml:3 POLICY_INVALID must be other, as the file is named",
      "etc/policies/two.yaml:2 POLICY_INVALID is not alone in its file; use `backstay policy apply`",
    ]);
  });

  it("trusts no file that others can change", async () => {
    await write("a", "priority: 1\n");
    await loadAndKeep();
    await write("a", "priority: 2\n");
    chmodSync(folder.fileOf("a"), 0o666);
    expect(shown(await loadAndKeep())).toEqual([
      ["a", 1, "last good"],
      expect.stringContaining("can be changed by other users"),
    ]);
    chmodSync(folder.fileOf("a"), 0o644);
    expect(shown(await loadAndKeep())).toEqual([["a", 2, "written"]]);
  });

  it("refuses what no engine can do, what the machine forbids, and to start after nothing", async () => {
    await write("a", "priority: 1\n");
    await write("b", "backupCache: { enabled: true }\n");
    await write("c", "schedule: { timers: [{ every: after-policy, policy: nobody }] }\n");
    await write("d", "schedule: { timers: [{ every: after-policy, policy: a }] }\n");
    expect(shown(await loadAndKeep())).toEqual([
      ["a", 1, "written"],
      ["d", 0, "written"],
      "etc/policies/b.yaml:7 POLICY_UNSUPPORTED is not possible yet",
      "etc/policies/c.yaml:7 POLICY_INVALID there is no policy nobody to start after",
    ]);
    // Guard rails hold for what was good before them too.
    const rails = guardRails.parse({ destinations: ["/srv/backup"] });
    expect((await loadAndKeep(rails)).policies.size).toBe(0);
    expect((await folder.load(noRails)).policies.size).toBe(2);
  });

  it("starts a policy after one that is as it was last", async () => {
    await write("a");
    await write("b", "schedule: { timers: [{ every: after-policy, policy: a }] }\n");
    await loadAndKeep();
    await write("a", "nonsense: 1\n");
    expect(shown(await loadAndKeep()).slice(0, 2)).toEqual([
      ["a", 0, "last good"],
      ["b", 0, "written"],
    ]);
  });

  it("says what it can't do", async () => {
    await expect(folder.remove("a")).rejects.toMatchObject({ code: "POLICY_UNKNOWN" });
    writeFileSync(at("etc"), "");
    await expect(write("a")).rejects.toMatchObject({
      code: "POLICY_FOLDER",
      context: { reason: "ENOTDIR" },
    });
    const aborted = AbortSignal.abort(new Error("enough"));
    rmSync(at("etc"));
    await expect(folder.write("a", text("a"), aborted)).rejects.toThrow("enough");
    expect(existsSync(folder.fileOf("a"))).toBe(false);
  });
});
