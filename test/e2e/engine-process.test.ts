/** The real engine, as the daemon starts it: orders in, messages, a report and an exit code out. */
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RepositoryOrder, RunReport } from "../../protocol/run-order.ts";
import { EngineScene, endOf, scenePassword } from "../engine/engine-scene.ts";
import { backstayOn } from "../programs.ts";

let scene: EngineScene;

beforeEach(() => {
  scene = new EngineScene();
});
afterEach(() => scene.remove());

const backstay = () =>
  backstayOn({ repository: scene.repository, password: scenePassword, cache: scene.cacheRoot });

const savedReport = (): RunReport =>
  JSON.parse(readFileSync(scene.reportFile, "utf8")) as RunReport;

const directTo = (url: string): Pick<RepositoryOrder, "routes"> => ({
  routes: [{ kind: "direct", url }],
});

describe("an engine", () => {
  it("makes the repository and backs up, and the next run compares with it", async () => {
    const first = await scene.run(scene.order());
    expect(first).toMatchObject({ exitCode: 0, stderr: "" });
    expect(first.report).toMatchObject({
      outcome: "success",
      exitCode: 0,
      issues: 0,
      backup: { filesNew: 2, snapshotId: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(savedReport()).toEqual(first.report);
    rmSync(scene.reportFile);
    const second = await scene.run(
      scene.order({ repository: { ...scene.order().repository, create: false } }),
    );
    expect(second.report?.backup).toMatchObject({
      filesUnmodified: 2,
      parentId: first.report?.backup?.snapshotId,
    });
    const snapshots = await backstay().output("snapshots", "--json");
    expect(JSON.parse(snapshots)).toMatchObject([{ hostname: "scene", tags: ["t"] }, {}]);
  });

  it("leaves out what the order excludes, and our own places", async () => {
    for (const name of ["a.tmp", "B.TMP", "keep"])
      writeFileSync(path.join(scene.source, name), "x");
    const own = path.join(scene.source, "own");
    symlinkSync(scene.folder, own);
    const order = scene.order(
      {},
      {
        paths: [Buffer.from(scene.folder).toString("base64")],
        exclude: ["*.tmp"],
        excludeIgnoringCase: ["b.tmp"],
        ownPlaces: [path.join(scene.source, "docs")],
      },
    );
    const { report } = await scene.run(order);
    expect(report?.outcome).toBe("success");
    const names = (await backstay().output("ls", "latest"))
      .split("\n")
      .map((line) => path.basename(line));
    expect(names).toEqual(expect.arrayContaining(["keep", "two", "own"]));
    for (const name of ["a.tmp", "B.TMP", "one", "config"]) expect(names).not.toContain(name);
  });

  it("takes only the files that a mask matches, and the folders around them", async () => {
    writeFileSync(path.join(scene.source, "Letter.ODT"), "x");
    writeFileSync(path.join(scene.source, "letter.txt"), "x");
    const order = scene.order({}, { includeMasks: ["*.odt"], exclude: ["*.ODT~"] });
    const { report } = await scene.run(order);
    expect(report).toMatchObject({ outcome: "success", backup: { filesNew: 1 } });
    const listed = await backstay().output("ls", "latest");
    expect(listed).toContain(path.join(scene.source, "Letter.ODT"));
    expect(listed).toContain(path.join(scene.source, "docs"));
    expect(listed).not.toMatch(/letter\.txt|one|two/);
  });

  it("tells what it could not read, and ends as a warning", async () => {
    const order = scene.order(
      {},
      {
        paths: [scene.source, path.join(scene.folder, "not there")].map((text) =>
          Buffer.from(text).toString("base64"),
        ),
      },
    );
    const { exitCode, report, messages } = await scene.run(order);
    expect([exitCode, report?.outcome, report?.issues]).toEqual([3, "warning", 1]);
    expect(messages.filter(({ type }) => type === "issue")).toMatchObject([
      { issue: { path: path.join(scene.folder, "not there"), code: "ENOENT" } },
    ]);
  });

  it.each([
    ["a wrong password", { password: "wrong" }, "WRONG_PASSWORD", 12],
    ["no repository", { ...directTo("/nowhere/at/all"), create: false }, "REPOSITORY_MISSING", 10],
    ["a storage that is not built in", directTo("ftp:host"), "STORE_UNSUPPORTED", 1],
  ])("with %s reports the failure of the command line", async (_what, given, code, exit) => {
    await scene.run(scene.order());
    const order = scene.order({ repository: { ...scene.order().repository, ...given } });
    rmSync(scene.reportFile);
    const ended = await scene.run(order);
    expect(ended.exitCode).toBe(exit);
    expect(ended.report).toMatchObject({ outcome: "failure", exitCode: exit, error: { code } });
    expect(ended.report?.error?.remedy).toMatch(/\.$/);
    expect(savedReport()).toEqual(ended.report);
  });

  it.each([
    ["no JSON", "nonsense with a secret\n"],
    ["another version", `${JSON.stringify({ version: 99 })}\n`],
    [
      "no work",
      `${JSON.stringify({ version: 2, repository: { ...directTo("x"), password: "y" } })}\n`,
    ],
  ])("refuses an order that is %s", async (_what, line) => {
    const { exitCode, report, stdout } = await scene.run(line);
    expect([exitCode, report?.error?.code]).toEqual([1, "RUN_ORDER_INVALID"]);
    expect(stdout).not.toContain("secret");
  });

  it("does nothing if its input ends before there is an order", async () => {
    const child = scene.start("");
    child.stdin?.end(JSON.stringify(scene.order()));
    const { exitCode, messages } = await endOf(child);
    expect([exitCode, messages]).toEqual([1, []]);
    expect(existsSync(scene.repository)).toBe(false);
  });

  it.each(["SIGTERM", "end of input"])(
    "ends in order at %s, and what had arrived counts",
    async (how) => {
      scene.addNoise(24, 2 * 1024 * 1024);
      const hasArrived = () =>
        existsSync(path.join(scene.repository, "data")) &&
        readdirSync(path.join(scene.repository, "data"), { recursive: true }).some((name) =>
          /[0-9a-f]{64}$/.test(String(name)),
        );
      const order = scene.order({ limits: { uploadBytesPerSecond: 8 * 1024 * 1024 } });
      let isAsked = false;
      const ended = await scene.run(order, (message, child) => {
        if (isAsked || message.type !== "progress" || !hasArrived()) return;
        isAsked = true;
        if (how === "SIGTERM") {
          child.kill("SIGTERM");
          child.kill("SIGTERM");
        } else child.stdin?.end();
      });
      expect(isAsked).toBe(true);
      expect([ended.exitCode, ended.report?.outcome]).toEqual([130, "canceled"]);
      expect(savedReport()).toEqual(ended.report);
      expect(JSON.parse(await backstay().output("snapshots", "--json"))).toEqual([]);
      rmSync(scene.reportFile);
      const next = await scene.run(scene.order());
      expect(next.report?.outcome).toBe("success");
      // Less is sent than there is: the first run's packs are used.
      expect(next.report?.backup?.bytesStored).toBeLessThan(44 * 1024 * 1024);
      expect(next.report?.backup?.bytesStored).toBeGreaterThan(0);
    },
  );

  it("names a thousand issues and counts the rest", async () => {
    const missing = Array.from({ length: 1200 }, (_, i) =>
      Buffer.from(`${scene.source}/missing-${i}`).toString("base64"),
    );
    const order = scene.order({}, { paths: [...scene.order().work.paths, ...missing] });
    const { messages, report } = await scene.run(order);
    expect(messages.filter(({ type }) => type === "issue")).toHaveLength(1000);
    expect(report).toMatchObject({ outcome: "warning", issues: 1200 });
  });

  it("says the password nowhere", async () => {
    const paths = [scene.source, `${scene.source}/is ${scenePassword}`];
    const order = scene.order(
      {},
      { paths: paths.map((text) => Buffer.from(text).toString("base64")) },
    );
    const { stdout, stderr, report } = await scene.run(order);
    expect(report?.outcome).toBe("warning");
    expect(stdout + stderr + readFileSync(scene.reportFile, "utf8")).not.toContain(scenePassword);
    expect(stdout).toContain("/is ***");
  });
});
