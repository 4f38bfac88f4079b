/** The real engine doing what is no backup: restores, checks, other passwords, recovery passwords, other routes. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EngineMessage, RestoreWork, RunOrder } from "../../protocol/run-order.ts";
import { type EndedEngine, EngineScene, scenePassword } from "../engine/engine-scene.ts";
import { backstayOn } from "../programs.ts";

let scene: EngineScene;

beforeEach(() => {
  scene = new EngineScene();
});
afterEach(() => scene.remove());

const target = (): string => path.join(scene.folder, "restored");

async function restore(given: Partial<RestoreWork> = {}): Promise<EndedEngine> {
  return await scene.run({
    ...scene.order(),
    work: {
      kind: "restore",
      hostName: "scene",
      snapshot: "latest",
      paths: [],
      target: target(),
      onlyIntoEmpty: false,
      overwrite: "never",
      verify: false,
      ...given,
    },
  });
}

const messagesOf = <T extends EngineMessage["type"]>(
  { messages }: EndedEngine,
  type: T,
): Extract<EngineMessage, { type: T }>[] =>
  messages.filter(
    (message): message is Extract<EngineMessage, { type: T }> => message.type === type,
  );

const repositoryWith = (given: Partial<RunOrder["repository"]>): RunOrder =>
  scene.order({ repository: { ...scene.order().repository, ...given } });

const opens = async (password: string): Promise<boolean> => {
  const { exitCode } = await backstayOn({ repository: scene.repository, password }).run(
    "snapshots",
  );
  return exitCode === 0;
};

describe("a restore", () => {
  it("brings back what is asked for, below the target, and tells what it came to", async () => {
    await scene.run(scene.order());
    const ended = await restore({ paths: [`${scene.source}/docs`], verify: true });
    expect([ended.exitCode, ended.report?.outcome]).toEqual([0, "success"]);
    const at = path.join(target(), scene.source);
    expect(readFileSync(path.join(at, "docs/one"), "utf8")).toBe("one\n");
    expect(existsSync(path.join(at, "two"))).toBe(false);
    expect(ended.report?.restore).toMatchObject({ errors: 0, filesVerified: 1 });
    expect(messagesOf(ended, "route")).toEqual([{ type: "route", route: 0 }]);
  });

  it("fails for a path that the snapshot does not have, and writes nothing", async () => {
    await scene.run(scene.order());
    const { report } = await restore({ paths: ["/not/there"] });
    expect(report?.error?.code).toBe("PATH_NOT_FOUND");
    expect(existsSync(target())).toBe(false);
  });

  it("leaves a folder alone that holds anything, if it may only use an empty one", async () => {
    await scene.run(scene.order());
    mkdirSync(target());
    expect((await restore({ onlyIntoEmpty: true })).report?.outcome).toBe("success");
    const again = await restore({ onlyIntoEmpty: true });
    expect(again.report?.error?.code).toBe("RESTORE_TARGET");
  });
});

describe("a check", () => {
  const check = async (data: string): Promise<EndedEngine> =>
    await scene.run({ ...scene.order(), work: { kind: "check", data } });

  it("finds a sound repository sound, and says how much it read", async () => {
    await scene.run(scene.order());
    const { report } = await check("all");
    expect(report).toMatchObject({ outcome: "success", check: { problems: 0, snapshots: 1 } });
    expect(report?.check?.packsRead).toBe(report?.check?.packs);
    const { packs = 0, packsRead } = (await check("structure")).report?.check ?? {};
    expect(packsRead).toBeLessThan(packs);
  });

  it("fails with the damage that it found", async () => {
    await scene.run(scene.order());
    const folder = path.join(scene.repository, "data");
    const pack = (readdirSync(folder, { recursive: true }) as string[]).find(
      (name) => path.basename(name).length === 64,
    );
    truncateSync(path.join(folder, pack ?? ""), 100);
    const ended = await check("structure");
    expect(ended.report).toMatchObject({ outcome: "failure", error: { code: "CHECK_FAILED" } });
    expect(ended.report?.check?.problems).toBeGreaterThan(0);
    expect(messagesOf(ended, "issue").map(({ issue }) => issue.code)).toContain("pack-size");
  });

  it("refuses to read a part that nobody can know", async () => {
    await scene.run(scene.order());
    expect((await check("a bit")).report?.error?.code).toBe("USAGE");
  });
});

describe("keys", () => {
  it("get another password without another full backup, and the old one is gone", async () => {
    await scene.run(scene.order());
    const order = repositoryWith({
      password: "the new one of today",
      previousPasswords: ["never in use", scenePassword],
    });
    const ended = await scene.run(order);
    expect(ended.report?.backup).toMatchObject({ filesUnmodified: 2, dataBlobs: 0 });
    expect(messagesOf(ended, "password-changed")).toHaveLength(1);
    expect([await opens("the new one of today"), await opens(scenePassword)]).toEqual([
      true,
      false,
    ]);
    expect(messagesOf(await scene.run(order), "password-changed")).toEqual([]);
  });

  it("with no password that opens them make the run fail", async () => {
    await scene.run(scene.order());
    const ended = await scene.run(
      repositoryWith({ password: "wrong", previousPasswords: ["wrong too"] }),
    );
    expect(ended.report?.error?.code).toBe("WRONG_PASSWORD");
    expect(await opens(scenePassword)).toBe(true);
  });

  it("get a recovery password that is told once, and written nowhere", async () => {
    const ended = await scene.run(repositoryWith({ recovery: {} }));
    expect(ended.report?.outcome).toBe("success");
    const [{ keyName, password }] = messagesOf(ended, "recovery");
    expect(password).toMatch(/^(?:[a-z2-9]{4}-){7}[a-z2-9]{4}$/);
    expect(existsSync(path.join(scene.repository, "keys", keyName))).toBe(true);
    expect(await opens(password)).toBe(true);
    expect(readFileSync(scene.reportFile, "utf8") + ended.stderr).not.toContain(password);
    const next = await scene.run(repositoryWith({ recovery: { replaces: keyName } }));
    const [{ password: newer }] = messagesOf(next, "recovery");
    expect([await opens(password), await opens(newer)]).toEqual([false, true]);
  });
});

describe("routes", () => {
  it("are tried in their order, and the next only if one is out of reach", async () => {
    await scene.run(scene.order());
    const here = scene.order().repository.routes[0];
    const away = { kind: "gateway", url: "rest:http://127.0.0.1:9/none/" } as const;
    const ended = await scene.run(repositoryWith({ routes: [away, here], create: false }));
    expect(ended.report?.outcome).toBe("success");
    expect(messagesOf(ended, "route")).toEqual([{ type: "route", route: 1 }]);
    const first = await scene.run(repositoryWith({ routes: [here, away], create: false }));
    expect(messagesOf(first, "route")).toEqual([{ type: "route", route: 0 }]);
  });

  it("are not left for what is wrong for good", async () => {
    await scene.run(scene.order());
    const here = scene.order().repository.routes[0];
    const empty = { kind: "direct", url: path.join(scene.folder, "empty") } as const;
    mkdirSync(empty.url);
    writeFileSync(path.join(empty.url, "note"), "");
    const ended = await scene.run(repositoryWith({ routes: [empty, here], create: false }));
    expect(ended.report?.error?.code).toBe("REPOSITORY_MISSING");
  });
});
