import { describe, expect, it } from "vitest";
import { runTool, toolPath } from "./run-tool.ts";

describe.runIf(process.platform === "linux")("runTool", () => {
  it("gives exit code and output, in English", async () => {
    expect(await runTool("env", [], 5_000)).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^LC_ALL=C$/m) as string,
    });
    const failed = await runTool("ls", ["/nonexistent"], 5_000);
    expect(failed.exitCode).toBe(2);
    expect(failed.problem).toMatch(/No such file or directory/);
  });

  it("passes arguments as they are, with no shell between", async () => {
    const { stdout } = await runTool("printf", ["%s|", "a b", "$HOME", "; true", "*"], 5_000);
    expect(stdout).toBe("a b|$HOME|; true|*|");
  });

  it("gives the program an empty input", async () => {
    expect(await runTool("cat", [], 5_000)).toMatchObject({ exitCode: 0, stdout: "" });
  });

  it("hands over what it is to read, though it may not read it", async () => {
    const input = Buffer.alloc(300_000, "line\n");
    expect((await runTool("wc", ["-c"], 5_000, input)).stdout.trim()).toBe("300000");
    expect(await runTool("false", [], 5_000, input)).toMatchObject({ exitCode: 1 });
  });

  it("kills what takes too long or says too much", async () => {
    const slow = await runTool("sleep", ["60"], 100);
    expect(slow.exitCode).toBe(undefined);
    expect(slow.problem).toMatch(/\S/);
    const loud = await runTool("yes", [], 20_000);
    expect(loud.exitCode).toBe(undefined);
    expect(loud.stdout.length).toBeLessThanOrEqual(1 << 20);
  });

  it("tells what is not installed", async () => {
    expect(toolPath("backstay-has-no-such-tool")).toBe(undefined);
    expect(await runTool("backstay-has-no-such-tool", [], 100)).toMatchObject({
      problem: "backstay-has-no-such-tool is not installed",
    });
  });
});
