import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

/** Tenths, as `--threshold` takes them: it serves the network, so it may do little. Newer versions look at more. */
const exposureMax = 25;

/** Undefined where systemd is not installed; it need not be running. */
const analyze = ["/usr/bin/systemd-analyze", "/bin/systemd-analyze"].find(
  (program) => spawnSync(program, ["--version"]).status === 0,
);

describe.skipIf(analyze === undefined)("the server's unit of systemd", () => {
  let folder = "";
  let unit = "";
  const run = (...args: readonly string[]) =>
    spawnSync(analyze ?? "", args, { encoding: "utf8", env: { LC_ALL: "C" } });

  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), "backstay-unit-"));
    unit = path.join(folder, "backstay-server.service");
    const launcher = new URL("../../server/bin/backstay-server", import.meta.url).pathname;
    const text = readFileSync(new URL("backstay-server.service", import.meta.url), "utf8");
    expect(text).toContain("ExecStart=/usr/bin/backstay-server serve");
    writeFileSync(unit, text.replace("/usr/bin/backstay-server", launcher));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("is understood as a whole", () => {
    const { status, stdout, stderr } = run("verify", unit);
    expect(stderr.split("\n").filter((line) => line.includes("backstay-server"))).toEqual([]);
    expect([status, stdout]).toEqual([0, ""]);
  });

  it("may do little", () => {
    const checked = run("security", "--offline=yes", `--threshold=${exposureMax}`, unit);
    expect(checked.status, checked.stdout).toBe(0);
  });
});
