import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { LinuxProcessLimits } from "./process-limits.ts";

const limits = new LinuxProcessLimits();
const children: ReturnType<typeof spawn>[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

describe.skipIf(process.platform !== "linux")("the limits of processes on Linux", () => {
  it("lowers every thread of a process, those of later too", async () => {
    const module = new URL("process-limits.ts", import.meta.url).href;
    const script = `
      const { LinuxProcessLimits } = await import(${JSON.stringify(module)});
      new LinuxProcessLimits().yieldToOthers();
      const { Worker } = await import("node:worker_threads");
      new Worker("setInterval(() => {}, 1000)", { eval: true }).on("online", () => console.log("ready"));
    `;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    await once(child.stdout, "data");
    const threads = readdirSync(`/proc/${child.pid}/task`);
    expect(threads.length).toBeGreaterThan(3);
    const nice = threads.map((thread) => statOf(`${child.pid}/task/${thread}`)[16]);
    expect(new Set(nice)).toEqual(new Set(["19"]));
  });

  it("knows the memory of a process while it lives", async () => {
    const child = spawn("sleep", ["60"]);
    children.push(child);
    await once(child, "spawn");
    expect(limits.residentBytes(child.pid ?? 0)).toBeGreaterThan(10_000);
    expect(limits.residentBytes(process.pid)).toBeGreaterThan(10_000_000);
    child.kill("SIGKILL");
    await once(child, "close");
    expect(limits.residentBytes(child.pid ?? 0)).toBeUndefined();
  });

  it("tells a process from another one of the same id", async () => {
    const child = spawn("sleep", ["60"]);
    children.push(child);
    await once(child, "spawn");
    const start = limits.startOf(child.pid ?? 0);
    expect(start).toMatch(/^\d+$/);
    expect(limits.startOf(child.pid ?? 0)).toBe(start);
    expect(limits.startOf(process.pid)).not.toBe(start);
    child.kill("SIGKILL");
    await once(child, "close");
    expect(limits.startOf(child.pid ?? 0)).toBeUndefined();
  });

  it("counts a process that nobody collected as gone", async () => {
    // The shell becomes a program that never asks for its child.
    const shell = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 60"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(shell);
    const [line] = (await once(shell.stdout, "data")) as [Buffer];
    const id = Number(line.toString());
    await expect.poll(() => statOf(String(id))[0]).toBe("Z");
    expect(limits.startOf(id)).toBeUndefined();
  });

  it("names the start of the machine", () => {
    const { id, uptimeMs } = limits.boot();
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(uptimeMs).toBeGreaterThan(0);
    expect(limits.boot().id).toBe(id);
  });
});

/** The fields of a stat file from the third on. */
function statOf(name: string): string[] {
  const text = readFileSync(`/proc/${name}/stat`, "utf8");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}
