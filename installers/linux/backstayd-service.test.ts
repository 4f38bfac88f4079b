import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const unitFile = new URL("backstayd.service", import.meta.url);
/** Tenths, as `--threshold` takes them. Newer versions of systemd look at more, so this has some room. */
const exposureMax = 45;

/** Undefined where systemd is not installed; it need not be running. */
const analyze = ["/usr/bin/systemd-analyze", "/bin/systemd-analyze"].find(
  (program) => spawnSync(program, ["--version"]).status === 0,
);

describe.skipIf(analyze === undefined)("the unit of systemd", () => {
  let folder = "";
  let unit = "";
  const run = (...args: readonly string[]) =>
    spawnSync(analyze ?? "", args, { encoding: "utf8", env: { LC_ALL: "C" } });

  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), "backstay-unit-"));
    unit = path.join(folder, "backstayd.service");
    const launcher = new URL("../../agent/bin/backstayd", import.meta.url).pathname;
    const text = readFileSync(unitFile, "utf8");
    expect(text).toContain("ExecStart=/usr/bin/backstayd\n");
    writeFileSync(unit, text.replace("/usr/bin/backstayd", launcher));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("is understood as a whole", () => {
    const { status, stdout, stderr } = run("verify", unit);
    expect(stderr.split("\n").filter((line) => line.includes("backstayd"))).toEqual([]);
    expect([status, stdout]).toEqual([0, ""]);
  });

  it("is not understood any more with a mistake in it", () => {
    const broken = path.join(folder, "broken.service");
    writeFileSync(broken, readFileSync(unit, "utf8").replace("Type=notify", "Type=notfy"));
    expect(run("verify", broken).stderr).toContain("broken.service");
  });

  it("exposes no more of the machine than it must", () => {
    const options = ["--offline=true", "--no-pager", `--threshold=${exposureMax}`];
    const { status, stdout } = run("security", ...options, unit);
    expect(stdout).toMatch(/Overall exposure level for backstayd\.service: \d\.\d/);
    expect(status, stdout.split("\n").at(-2)).toBe(0);
  });
});
