/** Notes of files and folders: each once, right, in lots of which few are under way, and none unless asked for. */
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { BackupScene } from "../../../test/backup/backup-scene.ts";
import type { BackupEntry } from "../backup-request.ts";
import { noCost } from "../work/cost-meter.ts";
import { DirectoryState } from "./directory-state.ts";
import { type EntriesMessage, EntryNotes } from "./entry-notes.ts";

let scene: BackupScene;
afterEach(() => scene?.remove());

/** Backs up, and gives what was told, by path below the source. */
async function told(): Promise<Map<string, BackupEntry>> {
  const found = new Map<string, BackupEntry>();
  await scene.backup({
    events: {
      entries: async (entries) => {
        for (const entry of entries) {
          const name = Buffer.from(entry.path).toString();
          const shown = name.startsWith(scene.source) ? name.slice(scene.source.length) : name;
          if (found.has(shown)) throw new Error(`${shown} twice`);
          found.set(shown, entry);
        }
        await new Promise((resolve) => setImmediate(resolve));
      },
    },
  });
  return found;
}

const actionsOf = (entries: ReadonlyMap<string, BackupEntry>): Record<string, string> =>
  Object.fromEntries([...entries].map(([path, { action }]) => [path, action]));

describe("a backup that is asked to name entries", { timeout: 120_000 }, () => {
  it("names each file and folder once, with what became of it and what it took", async () => {
    scene = await BackupScene.create();
    scene.write("a/one", "one");
    scene.write("a/twin", "one");
    scene.write("b/two", "two, and more of it");
    symlinkSync("a", scene.at("link"));
    // A file that changed a moment before it was read would be read again by the next run.
    await sleep(50);
    const above = scene.source.split("/").slice(1, -1);
    const way = Object.fromEntries(
      above.map((_, i) => [`/${above.slice(0, i + 1).join("/")}/`, "new"]),
    );
    const first = await told();
    expect(actionsOf(first)).toEqual({
      ...way,
      "/": "new",
      "/a/": "new",
      "/a/one": "new",
      "/a/twin": "new",
      "/b/": "new",
      "/b/two": "new",
    });
    expect(first.get("/b/two")).toMatchObject({ addedBytes: 19, storedBytes: 19 + 32 });
    const twins = ["/a/one", "/a/twin"].map((path) => first.get(path)?.addedBytes);
    expect(new Set(twins)).toEqual(new Set([0, 3]));
    expect(first.get("/a/")?.addedBytes).toBeGreaterThan(100);

    scene.write("b/two", "other");
    scene.write("b/three", "three");
    rmSync(scene.at("a/twin"));
    mkdirSync(scene.at("empty"));
    const second = await told();
    for (const path of Object.keys(way)) second.delete(path);
    expect(actionsOf(second)).toEqual({
      "/": "modified",
      "/a/": "modified",
      "/a/one": "unchanged",
      "/b/": "modified",
      "/b/two": "modified",
      "/b/three": "new",
      "/empty/": "new",
    });
    const third = await told();
    for (const path of Object.keys(way)) third.delete(path);
    expect(third.get("/a/one")).toMatchObject({ action: "unchanged", ...noCost });
    expect(third.get("/a/")).toMatchObject({ action: "unchanged", ...noCost });
  });

  it("names thousands, waits for who takes them, and fails if that fails", async () => {
    scene = await BackupScene.create();
    for (let i = 0; i < 3000; i += 1) scene.write(`d${i % 7}/f${i}`, `${i}`);
    const files = [...(await told()).keys()].filter((path) => /^\/d\d\/f/.test(path));
    expect(files.length).toBe(3000);
    const reason = new Error("nobody listens");
    const failing = scene.backup({ events: { entries: () => Promise.reject(reason) } });
    await expect(failing).rejects.toBe(reason);
  });
});

describe("notes of entries", () => {
  it("have few lots under way", () => {
    const sent: EntriesMessage[] = [];
    let waits = 0;
    const notes: EntryNotes = new EntryNotes(
      (message) => sent.push(message),
      new Float64Array(16),
      () => {
        waits += 1;
        notes.taken();
      },
    );
    const record = new Uint8Array(256);
    const names = { count: 1, names: Buffer.from("file"), offsets: Uint32Array.of(0, 4) };
    const top = { parent: undefined, index: 0, record };
    const state = new DirectoryState(top, Buffer.from("./folder"), names, undefined);
    for (let i = 0; i < 128 * 20; i += 1) notes.read(state, 0, noCost);
    expect(sent).toHaveLength(20);
    expect(waits).toBe(12);
    notes.unchanged(state, 0);
    expect(sent).toHaveLength(20);
    notes.flush();
    notes.flush();
    const [last] = sent.at(-1)?.entries ?? [];
    expect(sent).toHaveLength(21);
    expect(last).toMatchObject({
      action: "unchanged",
      path: new Uint8Array(Buffer.from("/folder/file")),
    });
  });
});
