/** Runs a program and measures it from outside: time, processor time, and the memory of all its processes. */
import { spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import path from "node:path";

const sampleMs = 20;
/** Clock ticks of a second in /proc, the same on every Linux that matters (sysconf(_SC_CLK_TCK)). */
const ticksPerSecond = 100;

export interface Measured {
  readonly seconds: number;
  /** User and system time of all processes, as far as they were seen. */
  readonly processorSeconds: number;
  /** Largest sum of the resident memory of all processes at one time. */
  readonly peakBytes: number;
  readonly output: string;
}

/** Runs to the end; rejects if the program fails. Linux only: it reads /proc. */
export async function measureRun(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env: Readonly<Record<string, string | undefined>> },
): Promise<Measured> {
  const begun = process.hrtime.bigint();
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const output: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
  let peakBytes = 0;
  const ticks = new Map<number, number>();
  const timer = setInterval(() => {
    peakBytes = Math.max(peakBytes, sampleTree(child.pid ?? 0, ticks));
  }, sampleMs);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  clearInterval(timer);
  const text = Buffer.concat(output).toString("utf8");
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${text}`);
  const total = [...ticks.values()].reduce((sum, value) => sum + value, 0);
  return { seconds, processorSeconds: total / ticksPerSecond, peakBytes, output: text };
}

/** Resident memory of a process and its descendants now; notes their processor time so far. */
function sampleTree(root: number, ticks: Map<number, number>): number {
  let bytes = 0;
  const waiting = [root];
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      ticks.set(pid, Number(fields[11]) + Number(fields[12]));
      const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
      bytes += Number(resident?.[1] ?? 0) * 1024;
      for (const thread of readdirSync(`/proc/${pid}/task`)) {
        const children = readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8");
        for (const child of children.split(" ")) if (child !== "") waiting.push(Number(child));
      }
    } catch {
      // It ended between two looks.
    }
  }
  return bytes;
}

/** Reads every file of a folder once, so that no program pays for the disk of another. */
export function warm(folder: string): void {
  const buffer = Buffer.alloc(4 * 1024 * 1024);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const descriptor = openSync(path.join(entry.parentPath, entry.name), "r");
    while (readSync(descriptor, buffer) > 0);
    closeSync(descriptor);
  }
}
