/**
 * Backstay and restic back up one tree into one repository, each on top of the other's snapshot: nothing is read
 * again, nothing differs, and both say the same about what is there.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeAwkwardTree } from "../awkward-tree.ts";
import { describeWithPeers } from "../peers.ts";
import type { Message, RepositoryProgram } from "../programs.ts";
import { InteropScene, sceneHost } from "./interop-scene.ts";

/** Without this, trees of restic hold the device number of each entry, and differ in every folder. */
const stableDevices = { RESTIC_FEATURES: "device-id-for-hardlinks=true" };

describeWithPeers("in one repository", ["restic014", "restic018"], (peers) => {
  let scene: InteropScene;
  /** Ids of the snapshots in the order in which they were made. */
  const ids: Record<string, string[]> = { newer: [], older: [] };
  const parents: Record<string, unknown[]> = {};
  const messages: Record<string, Message[]> = {};

  /** Backs up the tree; keeps the summary and what was said about single entries. */
  async function backUp(step: string, program: RepositoryProgram) {
    const options = ["--host", sceneHost, "--verbose=2"];
    const said = await program.messages("backup", scene.source, ...options);
    messages[step] = said;
  }

  async function list(repository: string): Promise<void> {
    const listed = await scene.program("backstay", repository).messages("snapshots");
    ids[repository] = listed.map(({ id }) => String(id));
    parents[repository] = listed.map(({ parent }) => parent);
  }

  beforeAll(async () => {
    scene = new InteropScene(peers);
    makeAwkwardTree(scene.source, { wideEntries: 200 });
    const ours = await scene.init("backstay", "newer");
    await backUp("ours", ours);
    const newer = scene
      .program("restic018", "newer")
      .with({ environment: scene.environment(stableDevices) });
    await backUp("restic 0.18 on ours", newer);
    await backUp("ours on restic 0.18", ours);
    const older = await scene.init("restic014", "older");
    await backUp("restic 0.14", older);
    await backUp("ours on restic 0.14", scene.program("backstay", "older"));
    await backUp("restic 0.14 on ours", older);
    await list("newer");
    await list("older");
  });
  afterAll(() => scene.remove());

  function summaryOf(step: string): Message {
    const found = messages[step].findLast((message) => message["message_type"] === "summary");
    expect(found, step).toBeDefined();
    return found ?? {};
  }

  const files = (): unknown => summaryOf("ours")["files_new"];

  describe.each([
    ["restic 0.18 on ours", "newer", 1],
    ["ours on restic 0.18", "newer", 2],
    ["ours on restic 0.14", "older", 1],
    ["restic 0.14 on ours", "older", 2],
  ] as const)("a backup by %s", (step, repository, number) => {
    it("finds every file unchanged, and stores no data", () => {
      expect(summaryOf(step)).toMatchObject({
        files_new: 0,
        files_changed: 0,
        files_unmodified: files(),
        dirs_new: 0,
        data_blobs: 0,
      });
      if (step.startsWith("ours")) expect(summaryOf(step)["bytes_read"]).toBe(0);
    });

    it("says so of each file", () => {
      if (step.startsWith("ours")) return;
      const told = messages[step].filter(
        ({ item }) => typeof item === "string" && item !== "" && !item.endsWith("/"),
      );
      expect(told).toHaveLength(Number(files()));
      expect(new Set(told.map(({ action }) => action))).toEqual(new Set(["unchanged"]));
    });

    it("has the snapshot before it as parent", () => {
      expect(ids[repository]).toHaveLength(3);
      expect(parents[repository][number]).toBe(ids[repository][number - 1]);
    });
  });

  it("a backup by us on restic's snapshot stores only what restic leaves out of its trees", () => {
    const { dirs_changed: changed, dirs_unmodified: unchanged } = summaryOf("ours on restic 0.18");
    // Folders with sockets, fifos and hard links, and those above them.
    expect(changed).toBeLessThan(15);
    expect(Number(changed) + Number(unchanged)).toBe(summaryOf("ours")["dirs_new"]);
  });

  describe("compared by restic", () => {
    /** Lines of changes; `-`: only in the first snapshot. */
    async function changes(
      repository: string,
      first: number,
      second: number,
      ...options: string[]
    ): Promise<string[]> {
      const snapshots = [ids[repository][first], ids[repository][second]];
      const restic = scene.program("restic018", repository);
      const told = await restic.messages("diff", ...options, ...snapshots);
      const ourTold = await scene
        .program("backstay", repository)
        .messages("diff", ...options, ...snapshots);
      expect(ourTold).toEqual(told);
      return told.flatMap(({ message_type, modifier, path }) =>
        message_type === "change"
          ? [`${String(modifier)} ${String(path).replace(`${scene.source}/`, "")}`]
          : [],
      );
    }
    const sockets = ["hard links/a/socket", "hard links/b/socket", "special/socket"];

    it("the contents of all snapshots are the same, but for sockets", async () => {
      const gone = sockets.map((path) => `- ${path}`);
      const come = sockets.map((path) => `+ ${path}`);
      expect(await changes("newer", 0, 1)).toEqual(gone);
      expect(await changes("newer", 0, 2)).toEqual([]);
      expect(await changes("older", 0, 1)).toEqual(come);
    });

    it("the metadata is the same, but for the device numbers of hard links and fifos", async () => {
      const told = await changes("newer", 0, 1, "--metadata");
      const others = told.filter((line) => {
        const path = line.slice(2);
        const isAbove = `${scene.source}/`.startsWith(path);
        return !isAbove && !/^(?:hard links|special)\//.test(path);
      });
      expect(others).toEqual([]);
      const special = told.filter((line) => line.includes("special/"));
      expect(special.filter((line) => !line.includes("fifo"))).toEqual([
        "U special/",
        "- special/socket",
      ]);
    });
  });

  describe("restic and we say the same", () => {
    async function both(...args: string[]): Promise<{ ours: Message[]; theirs: Message[] }> {
      const [ours, theirs] = await Promise.all([
        scene.program("backstay", "newer").messages(...args),
        scene.program("restic018", "newer").messages(...args),
      ]);
      return { ours, theirs };
    }

    it.each([0, 1])("about the entries of snapshot %i", async (number) => {
      const { ours, theirs } = await both("ls", ids["newer"][number]);
      expect(theirs.length).toBeGreaterThan(1200);
      // We also give the exact bytes of paths that are not UTF-8.
      expect(ours.map(({ path_raw: _, ...entry }) => entry)).toEqual(theirs);
    });

    it("about what is found by name, by blob and by tree", async () => {
      const [first] = ids["newer"];
      const tree = await scene
        .program("restic018", "newer")
        .output("cat", "tree", `${first}:${scene.source}/contents/equal`);
      const nodes = JSON.parse(tree).nodes as { content?: string[]; subtree?: string }[];
      const [blob] = nodes.flatMap(({ content }) => content ?? []);
      const [subtree] = nodes.flatMap((node) => node.subtree ?? []);
      for (const [args, least] of [
        [["hole*"], 2],
        [["-i", "CASE", "*.TXT"], 2],
        [["--blob", blob], 6],
        [["--tree", subtree], 4],
      ] as const) {
        const { ours, theirs } = await both("find", ...args);
        expect(theirs.length, args.join(" ")).toBeGreaterThanOrEqual(least);
        expect(ours, args.join(" ")).toEqual(theirs);
      }
    });

    it("about the snapshots, and how much they hold", async () => {
      const snapshots = await both("snapshots");
      expect(snapshots.theirs).toHaveLength(3);
      expect(snapshots.ours).toEqual(snapshots.theirs);
      for (const mode of ["restore-size", "raw-data"]) {
        const { ours, theirs } = await both("stats", "--mode", mode);
        expect(theirs, mode).toHaveLength(1);
        expect(ours, mode).toEqual(theirs);
      }
    });
  });
});
