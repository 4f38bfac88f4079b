/** Passwords that one program sets open the repository for the other, and those that it takes away do not. */
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWithPeers } from "../peers.ts";
import { InteropScene, type ProgramName } from "./interop-scene.ts";

const programs: readonly ProgramName[] = ["backstay", "restic014", "restic018"];
/** By which exit codes each program says that the password is wrong. */
const wrongPassword = { backstay: 12, restic014: 1, restic018: 12 } as const;

describeWithPeers("the keys of a repository", ["restic014", "restic018"], (peers) => {
  let scene: InteropScene;

  beforeAll(() => {
    scene = new InteropScene(peers);
  });
  afterAll(() => scene.remove());

  function passwordFile(password: string): string {
    const file = scene.at(`password ${password.length}`);
    writeFileSync(file, password);
    return file;
  }

  async function opens(name: ProgramName, repository: string, password: string): Promise<boolean> {
    const outcome = await scene.program(name, repository).with({ password }).run("snapshots");
    if (outcome.exitCode === 0) return true;
    expect(outcome.exitCode, `${name}: ${outcome.stderr}`).toBe(wrongPassword[name]);
    return false;
  }

  /** Those that did not write the key: we for a key of restic, both versions of restic for one of ours. */
  function others(writer: ProgramName): readonly ProgramName[] {
    return writer === "backstay" ? ["restic014", "restic018"] : ["backstay"];
  }

  it.each(programs)("that %s makes and changes open for the others", async (maker) => {
    const repository = `made by ${maker}`;
    await scene.program(maker, repository).succeed("init");
    for (const name of others(maker))
      expect(await opens(name, repository, scene.password), name).toBe(true);
    const next = `new from ${maker}`;
    await scene
      .program(maker, repository)
      .succeed("key", "passwd", "--new-password-file", passwordFile(next));
    for (const name of others(maker)) {
      expect(await opens(name, repository, next), name).toBe(true);
      expect(await opens(name, repository, scene.password), name).toBe(false);
    }
  });

  it("may come from all of them, and go by any", async () => {
    const repository = "added to";
    const program = (name: ProgramName) => scene.program(name, repository);
    await program("backstay").succeed("init");
    const passwords: Partial<Record<ProgramName, string>> = {};
    for (const name of programs) {
      const password = `${name} pässwörd ${"p".repeat(name.length)}`;
      await program(name).succeed("key", "add", "--new-password-file", passwordFile(password));
      passwords[name] = password;
      for (const other of others(name))
        expect(await opens(other, repository, password), `${other}: ${password}`).toBe(true);
    }
    const ours = await program("backstay").messages("key", "list");
    const theirs = await program("restic018").messages("key", "list");
    expect(ours).toHaveLength(4);
    const byId = (a: { id?: unknown }, b: { id?: unknown }) =>
      String(a.id) < String(b.id) ? -1 : 1;
    expect([...ours].sort(byId)).toEqual([...theirs].sort(byId));
    for (const [remover, owner] of [
      ["backstay", "restic018"],
      ["restic018", "backstay"],
    ] as const) {
      const password = passwords[owner] ?? "";
      const keys = await program("backstay").with({ password }).messages("key", "list");
      const id = String(keys.find(({ current }) => current === true)?.["id"]);
      await program(remover).succeed("key", "remove", id);
      expect(await opens(owner, repository, password)).toBe(false);
    }
  });
});
